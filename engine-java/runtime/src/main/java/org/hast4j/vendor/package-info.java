/**
 * NVIDIA's cuDNN and cuBLASLt through JavaCPP: optional at run time, and the only importer of it.
 */
package org.hast4j.vendor;

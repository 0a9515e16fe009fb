/** NVIDIA's cuDNN through JavaCPP: optional at run time, and the only importer of its binding. */
package org.hast4j.vendor;

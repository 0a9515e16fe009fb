/** Files: atomic replacement, checksums and safetensors. */
package org.hast4j.io;

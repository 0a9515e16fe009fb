/** The locator of the CUDA kernels for Linux on x86-64. */
package org.hast4j.natives.cuda.linux_x86_64;

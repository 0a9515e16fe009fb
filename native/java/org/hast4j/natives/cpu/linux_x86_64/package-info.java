/** The locator of the CPU's kernels for Linux on x86-64. */
package org.hast4j.natives.cpu.linux_x86_64;

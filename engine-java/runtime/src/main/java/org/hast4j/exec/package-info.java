/** Compiled programs: a plan bound to a device, run kernel by kernel. */
package org.hast4j.exec;

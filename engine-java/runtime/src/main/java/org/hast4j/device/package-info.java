/** Devices, their memory, and the account of it. */
package org.hast4j.device;

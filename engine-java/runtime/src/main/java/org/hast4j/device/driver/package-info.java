/** Open devices, their streams and memory, and the account of it. */
package org.hast4j.device.driver;

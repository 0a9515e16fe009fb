/** The kernel libraries and their binding to Java: the C ABI, symbol by symbol. */
package org.hast4j.kernel;

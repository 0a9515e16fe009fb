/** The command line: one class per command, the options they share, and what they say. */
package org.hast4j.cli;

/** Numbers in the bytes of files, for those who read them. */
package org.hast4j.io.bytes;

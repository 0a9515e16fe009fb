/** What jars with kernel libraries provide. */
package org.hast4j.natives;

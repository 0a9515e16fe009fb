/** Pictures in files: decoded, brought to a network's size, and sorted into classes. */
package org.hast4j.picture;

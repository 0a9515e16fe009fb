/** Files of networks as people have them, of every format that is read: what they hold, by name. */
package org.hast4j.source;

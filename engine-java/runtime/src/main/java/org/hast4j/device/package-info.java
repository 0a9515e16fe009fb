/** What networks run on. */
package org.hast4j.device;

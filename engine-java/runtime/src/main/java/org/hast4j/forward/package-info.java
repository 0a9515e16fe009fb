/** Models as graphs, and the device memory of their weights and ranges. */
package org.hast4j.forward;

/** From a graph to an ordered list of live nodes with every value's place in memory. */
package org.hast4j.plan;

/** Rewrites of graphs that leave what is computed as it is. */
package org.hast4j.graph.rewrite;

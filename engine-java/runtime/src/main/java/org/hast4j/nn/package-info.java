/** Networks as values: layers, weights, and their translation into a graph. */
package org.hast4j.nn;

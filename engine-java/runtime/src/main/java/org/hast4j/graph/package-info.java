/**
 * Computations as values: operations, their shapes and their gradients. No memory and no device.
 */
package org.hast4j.graph;

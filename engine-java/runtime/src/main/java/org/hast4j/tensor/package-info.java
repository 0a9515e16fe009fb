/** Shapes and element types: the vocabulary every other package shares. */
package org.hast4j.tensor;

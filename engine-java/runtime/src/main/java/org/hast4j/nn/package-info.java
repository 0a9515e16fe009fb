/** Networks as values: a model and its weights, and the files that hold them. */
package org.hast4j.nn;

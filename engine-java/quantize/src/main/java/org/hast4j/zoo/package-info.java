/**
 * Trained networks as people have them: known families, their structures and their tensors' names.
 */
package org.hast4j.zoo;

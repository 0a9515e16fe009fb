/** Files that PyTorch writes: pickles and what they name, read without running anything in them. */
package org.hast4j.source.torch;

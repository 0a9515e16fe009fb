package org.hast4j.hast;

import java.nio.file.Path;
import org.hast4j.data.ImageSet;

/** Where the images of fine-tuning come from. */
public sealed interface Images {
  /** From nothing: the method itself. */
  record Synthesised() implements Images {}

  /** From the file of an earlier synthesis. */
  record Stored(Path file) implements Images {}

  /** Real ones, the upper bound the paper compares with. */
  record Real(ImageSet set) implements Images {}
}

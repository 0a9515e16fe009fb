package org.hast4j.hast;

import java.nio.file.Path;
import java.util.List;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;

/** Where the images of fine-tuning come from. */
public sealed interface Images {
  /**
   * From nothing: the method itself.
   *
   * @param firstBatch number of the first batch. Each batch is a function of seed and number alone,
   *     so that several machines may make some each
   */
  record Synthesized(int firstBatch) implements Images {
    public Synthesized {
      if (firstBatch < 0) {
        throw new RefusedException("batches are numbered from 0, got " + firstBatch);
      }
    }

    /** All batches. */
    public Synthesized() {
      this(0);
    }
  }

  /** From the files of earlier syntheses, one after the other. */
  record Stored(List<Path> files) implements Images {
    public Stored {
      files = List.copyOf(files);
      if (files.isEmpty()) {
        throw new RefusedException("no file of images is named");
      }
    }
  }

  /**
   * Real ones, the upper bound the paper compares with.
   *
   * @param labeled whether their labels are right; otherwise each has the class that the
   *     full-precision network gives it
   */
  record Real(ImageSet set, boolean labeled) implements Images {}
}

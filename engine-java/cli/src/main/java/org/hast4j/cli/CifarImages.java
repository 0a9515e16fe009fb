package org.hast4j.cli;

import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import org.hast4j.cifar.Progress;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

/**
 * CIFAR-10 as the commands want it: from the user's cache, filled first where that is asked for.
 */
final class CifarImages {
  private static final int CLASSES = Cifar10.CLASS_NAMES.size();
  private static final int SIDE = 32;

  private final Cifar10 data = Cifar10.inUserCache();
  private final Reporter reporter;

  CifarImages(Reporter reporter) {
    this.reporter = reporter;
  }

  /** Whether a network tells the classes of CIFAR-10 apart, as far as its shape says. */
  static boolean suits(Model model) {
    return model.classes() == CLASSES
        && model.input().channels() == 3
        && model.input().height() == SIDE
        && model.input().width() == SIDE;
  }

  /**
   * Refuses a network of another kind.
   *
   * @throws RefusedException if {@link #suits} says no
   */
  static void check(Model model) {
    if (!suits(model)) {
      throw new RefusedException(
          "%s tells %d classes of %dx%d images apart, CIFAR-10 has %d of %dx%d: it cannot be tested on it"
              .formatted(
                  model.name(),
                  model.classes(),
                  model.input().width(),
                  model.input().height(),
                  CLASSES,
                  SIDE,
                  SIDE));
    }
  }

  Cifar10 data() {
    return data;
  }

  /** A split, if it is in the cache. */
  Optional<ImageSet> cached(Cifar10.Split split) {
    return data.available(split) ? Optional.of(data.load(split)) : Optional.empty();
  }

  /** A split, from the cache or fetched into it. */
  ImageSet obtained(Cifar10.Split split) {
    if (!data.available(split)) {
      obtain(Optional.empty());
    }
    return data.load(split);
  }

  /** Fills the cache, showing how far that is. */
  void obtain(Optional<java.nio.file.Path> from) {
    try (Transfer transfer = new Transfer()) {
      data.obtain(from, transfer);
    }
  }

  /** One meter after the other: a transfer has phases, and may try several sources. */
  private final class Transfer implements Progress, AutoCloseable {
    private String phase;
    private Meter meter;

    @Override
    public void report(long done, long total, String what) {
      if (!what.equals(phase)) {
        close();
        phase = what;
        reporter.note("CIFAR-10: " + what);
        meter = reporter.meter(what, Meter.Unit.MEBIBYTES, done, total);
      }
      meter.at(done);
    }

    @Override
    public void close() {
      if (meter != null) {
        meter.close();
        meter = null;
      }
    }
  }
}

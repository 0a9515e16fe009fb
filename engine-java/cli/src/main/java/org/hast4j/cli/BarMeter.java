package org.hast4j.cli;

import java.time.Duration;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar that moves, for terminals. */
final class BarMeter extends Meter {
  private static final int COLUMNS = 79;

  private final ProgressBar bar;

  BarMeter(String task, Unit unit, long start, long total) {
    super(total);
    bar =
        ProgressBar.builder()
            .setTaskName(task)
            .setUnit(" " + unit.name(), unit.size())
            .setInitialMax(total)
            .startsFrom(start, Duration.ZERO)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(250)
            .showSpeed()
            // A length of our own: finding the terminal's would start JLine.
            .setConsumer(new ConsoleProgressBarConsumer(System.err, COLUMNS))
            .build();
  }

  @Override
  void show(long done) {
    bar.stepTo(done);
  }

  @Override
  public void close() {
    bar.close();
  }
}

package org.hast4j.cli;

import java.time.Duration;

/** Now and then a line, for logs: when a tenth more or a minute has passed, but not too often. */
final class LineMeter extends Meter {
  private static final long AT_LEAST_NANOS = Duration.ofSeconds(5).toNanos();
  private static final long AT_MOST_NANOS = Duration.ofMinutes(1).toNanos();

  private final Reporter reporter;
  private final String task;
  private final Unit unit;
  private final long start;
  private final long total;
  private final long began = System.nanoTime();
  private long lastNanos = began;
  private long lastDone;

  LineMeter(Reporter reporter, String task, Unit unit, long start, long total) {
    super(total);
    this.reporter = reporter;
    this.task = task;
    this.unit = unit;
    this.start = start;
    this.total = total;
    lastDone = start;
  }

  @Override
  void show(long done) {
    long now = System.nanoTime();
    boolean due =
        now - lastNanos >= AT_MOST_NANOS
            || now - lastNanos >= AT_LEAST_NANOS && (done - lastDone) * 10 >= total;
    if (due || done == total) {
      lastNanos = now;
      lastDone = done;
      reporter.note(text(done, now));
    }
  }

  private String text(long done, long now) {
    double seconds = Math.max(now - began, 1) / 1e9;
    double rate = (done - start) / seconds;
    String speed = "%.1f %s/s".formatted(rate / unit.size(), unit.name());
    if (total < 0) {
      return "%s: %d %s, %s".formatted(task, done / unit.size(), unit.name(), speed);
    }
    String counted =
        "%s: %d/%d %s (%d %%), %s"
            .formatted(
                task,
                done / unit.size(),
                total / unit.size(),
                unit.name(),
                done * 100 / total,
                speed);
    String elapsed = text(Duration.ofNanos(now - began));
    return done == total
        ? counted + ", took " + elapsed
        : counted + ", " + text(Duration.ofMillis((long) ((total - done) / rate * 1000))) + " left";
  }

  @Override
  public void close() {}
}

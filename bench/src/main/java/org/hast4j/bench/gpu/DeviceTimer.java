package org.hast4j.bench.gpu;

import java.util.Arrays;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.abi.EventElapsed;

/** Takes the time of launches by the device's own clock: events before and after. */
final class DeviceTimer implements AutoCloseable {
  private static final int BLOCKS = 15;
  private static final int GUESSES = 3;
  private static final double LEAST_MILLISECONDS = 1e-3;

  private final OpenDevice device;
  private final long first;
  private final long last;

  DeviceTimer(OpenDevice device) {
    this.device = device;
    first = device.createEvent();
    last = device.createEvent();
  }

  /**
   * Milliseconds of a run.
   *
   * @param median over blocks of runs, launched one behind the other
   * @param fastest block's
   * @param slowest block's
   * @param runs measured in all
   */
  record Timing(double median, double fastest, double slowest, long runs) {}

  /**
   * Times what launches.
   *
   * @param seconds in all: a third warms up, the rest is measured
   */
  Timing time(Runnable launch, double seconds) {
    milliseconds(launch, 1);
    double guess =
        Math.max(milliseconds(launch, GUESSES) / GUESSES, LEAST_MILLISECONDS) / (1000 * seconds);
    milliseconds(launch, Math.max(1, (int) (1 / (3 * guess))));
    int affordable = Math.max(GUESSES, (int) (2 / (3 * guess)));
    double[] blocks = new double[Math.min(BLOCKS, affordable)];
    int size = affordable / blocks.length;
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = milliseconds(launch, size) / size;
    }
    Arrays.sort(blocks);
    int middle = blocks.length / 2;
    double median =
        blocks.length % 2 == 1 ? blocks[middle] : (blocks[middle - 1] + blocks[middle]) / 2;
    return new Timing(median, blocks[0], blocks[blocks.length - 1], (long) size * blocks.length);
  }

  private double milliseconds(Runnable launch, int count) {
    device.record(first, device.stream());
    for (int i = 0; i < count; i++) {
      launch.run();
    }
    device.record(last, device.stream());
    device.synchronize();
    return new EventElapsed(device.library()).start(first).stop(last).call().milliseconds();
  }

  @Override
  public void close() {
    device.destroyEvent(last);
    device.destroyEvent(first);
  }
}

package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The devices of a test class, one for each number of threads, opened when first asked for. After
 * every test each must hold no memory any more.
 */
public final class Devices implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
  /** Configuration parameter of a launch that opens none, so that no platform need be usable. */
  public static final String NONE = "hast.no-devices";

  private final Platform platform;
  private final Map<Integer, OpenDevice> byThreads = new TreeMap<>();

  public Devices(Platform platform) {
    this.platform = platform;
  }

  /** The device with a number of worker threads. */
  public OpenDevice open(int threads) {
    return byThreads.computeIfAbsent(threads, count -> platform.open(count));
  }

  /** The device with two worker threads. */
  public OpenDevice open() {
    return open(2);
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    if (context.getConfigurationParameter(NONE).isEmpty()) {
      platform.assumeUsable();
    }
  }

  @Override
  public void afterEach(ExtensionContext context) {
    byThreads
        .values()
        .forEach(
            device ->
                assertThat(device.ledger().bytes())
                    .as("bytes left behind: %s", device.ledger())
                    .isZero());
  }

  @Override
  public void afterAll(ExtensionContext context) {
    byThreads.values().forEach(OpenDevice::close);
    byThreads.clear();
  }
}

package org.hast4j.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.function.Supplier;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.Product;
import org.hast4j.kernel.abi.CaptureEnd;
import org.hast4j.kernel.abi.EventElapsed;
import org.hast4j.kernel.abi.GraphLaunch;
import org.hast4j.kernel.abi.StreamSynchronize;

/**
 * Times methods on a device as a program runs them: as launches of a captured graph where the
 * device captures, which leaves the host's part out and shows that a method can be captured. The
 * time is the median of a few rounds.
 */
final class DeviceTrial implements ProductTrial {
  private static final String PURPOSE = "choosing methods";
  private static final int ROUNDS = 7;
  private static final int LAUNCHES = 10;

  private final OpenDevice device;
  private final List<Buffer> buffers = new ArrayList<>();
  private final long result;
  private final long first;
  private final long second;
  private final long bias;
  private final long workspace;

  DeviceTrial(OpenDevice device, Product product, List<Algorithm> algorithms) {
    this.device = device;
    ConvolutionShape shape = product.shape();
    ConvolutionDirection direction = product.direction();
    try {
      long input = allocate(shape.inputElements() * Float.BYTES);
      long weight = allocate(shape.weightElements() * Float.BYTES);
      long output = allocate(shape.outputElements() * Float.BYTES);
      bias = product.bias() || product.hasBiasGradient() ? allocate(shape.k() * Float.BYTES) : 0;
      workspace =
          allocate(algorithms.stream().mapToLong(Algorithm::workspaceBytes).max().orElse(0));
      result = direction.result(input, weight, output);
      first = direction.first(input, output);
      second = direction.second(input, weight);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private long allocate(long bytes) {
    if (bytes == 0) {
      return 0;
    }
    Buffer buffer = device.allocate(PURPOSE, bytes);
    buffers.add(buffer);
    buffer.clear();
    return buffer.address(0, bytes);
  }

  @Override
  public void run(Algorithm algorithm) {
    guarded(() -> bindAndRun(algorithm));
  }

  @Override
  public double milliseconds(Algorithm algorithm) {
    return guarded(() -> time(bindAndRun(algorithm)));
  }

  /** A failure may be another's way to say that the device is lost, which the device knows. */
  private <T> T guarded(Supplier<T> work) {
    try {
      return work.get();
    } catch (RuntimeException e) {
      try {
        device.synchronize();
      } catch (KernelException lost) {
        if (lost.isFatal()) {
          lost.addSuppressed(e);
          throw lost;
        }
      }
      throw e;
    }
  }

  /** Whatever loads or allocates only when a stream first uses it must not do so in a capture. */
  private Launch bindAndRun(Algorithm algorithm) {
    Launch launch =
        algorithm.bind(
            new Algorithm.Operands(
                result, first, second, bias, false, workspace, algorithm.workspaceBytes()));
    Collection<Long> streams =
        device.captures() ? Capture.streams(device).values() : List.of(device.stream());
    StreamSynchronize synchronize = new StreamSynchronize(device.library());
    for (long stream : streams) {
      launch.launch(stream);
      synchronize.launch(stream);
    }
    return launch;
  }

  private double time(Launch launch) {
    Runnable launches =
        () -> {
          for (int i = 0; i < LAUNCHES; i++) {
            launch.launch(device.stream());
          }
        };
    if (!device.captures()) {
      return median(launches) / LAUNCHES;
    }
    CaptureEnd captured = Capture.of(device, launches);
    GraphLaunch graph = new GraphLaunch(device.library()).graph(captured.graph());
    try {
      return median(() -> graph.launch(device.stream())) / LAUNCHES;
    } finally {
      device.destroyGraph(captured.graph());
    }
  }

  private double median(Runnable round) {
    long start = device.createEvent();
    long stop = device.createEvent();
    try {
      EventElapsed elapsed = new EventElapsed(device.library()).start(start).stop(stop);
      double[] times = new double[ROUNDS];
      for (int i = 0; i < ROUNDS; i++) {
        device.record(start, device.stream());
        round.run();
        device.record(stop, device.stream());
        device.synchronize();
        times[i] = elapsed.call().milliseconds();
      }
      Arrays.sort(times);
      return times[ROUNDS / 2];
    } finally {
      device.destroyEvent(start);
      device.destroyEvent(stop);
    }
  }

  @Override
  public void close() {
    buffers.reversed().forEach(Buffer::close);
    buffers.clear();
  }
}

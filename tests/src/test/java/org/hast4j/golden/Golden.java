package org.hast4j.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URISyntaxException;
import java.nio.file.Path;
import org.hast4j.graph.TensorType;
import org.hast4j.io.Safetensors;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.DType;

/** One file of golden vectors, its images turned to NHWC and its convolution weights to OHWI. */
public final class Golden {
  private final Safetensors file;
  private final String name;

  private Golden(Safetensors file, String name) {
    this.file = file;
    this.name = name;
  }

  public static Golden open(String name) {
    return new Golden(Safetensors.read(path(name)), name);
  }

  public static Path path(String name) {
    try {
      return Path.of(Golden.class.getResource("/golden/" + name + ".safetensors").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  public boolean has(String tensor) {
    return file.find(tensor).isPresent();
  }

  /** A tensor, with channels last if it has four dimensions. */
  public Tensor tensor(String tensor) {
    Safetensors.Tensor stored = file.tensor(tensor);
    long[] sizes = stored.shape().sizes();
    boolean integers = stored.dtype() != DType.F32 && stored.dtype() != DType.F64;
    double[] values = new double[Math.toIntExact(stored.shape().elements())];
    if (integers) {
      long[] longs = stored.longs();
      for (int i = 0; i < values.length; i++) {
        values[i] = longs[i];
      }
    } else {
      values = stored.doubles();
    }
    if (sizes.length == 4) {
      values = channelsLast(values, sizes);
      sizes = new long[] {sizes[0], sizes[2], sizes[3], sizes[1]};
    }
    return new Tensor(integers ? TensorType.i32(sizes) : TensorType.f32(sizes), values);
  }

  /** A tensor [c, h, w] as a batch [1, h, w, c]. */
  Tensor image(String tensor) {
    Tensor stored = tensor(tensor);
    long[] sizes = {1, stored.size(0), stored.size(1), stored.size(2)};
    return new Tensor(
        TensorType.f32(1, sizes[2], sizes[3], sizes[1]), channelsLast(stored.values(), sizes));
  }

  /** A tensor [batches, n, c, h, w] as [batches, n, h, w, c]. */
  public Tensor batches(String tensor) {
    Tensor stored = tensor(tensor);
    long[] sizes = stored.type().shape().sizes();
    double[] values =
        channelsLast(
            stored.values(), new long[] {sizes[0] * sizes[1], sizes[2], sizes[3], sizes[4]});
    return new Tensor(TensorType.f32(sizes[0], sizes[1], sizes[3], sizes[4], sizes[2]), values);
  }

  public double scalar(String tensor) {
    return tensor(tensor).values()[0];
  }

  /**
   * How far single precision came from double precision in the original itself: the largest
   * distance between {@code f32.} and {@code f64.} of a name.
   */
  public double scatter(String name) {
    double[] single = tensor("f32." + name).values();
    double[] exact = tensor("f64." + name).values();
    double scatter = 0;
    for (int i = 0; i < exact.length; i++) {
      scatter = Math.max(scatter, Math.abs(single[i] - exact[i]));
    }
    return scatter;
  }

  private static double[] channelsLast(double[] values, long[] sizes) {
    int c = (int) sizes[1];
    int area = (int) (sizes[2] * sizes[3]);
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      int outer = i / (c * area);
      int channel = i / area % c;
      int pixel = i % area;
      result[(outer * area + pixel) * c + channel] = values[i];
    }
    return result;
  }

  /** Compares with a golden tensor; the tolerance is a share of that tensor's largest magnitude. */
  public void matches(String tensor, Tensor actual, double tolerance) {
    matches(tensor, tensor(tensor), actual, tolerance);
  }

  /** Compares with a golden tensor in another shape. */
  public void matches(String tensor, Tensor expected, Tensor actual, double tolerance) {
    assertThat(actual.count()).as("%s %s", name, tensor).isEqualTo(expected.count());
    double scale = 0;
    for (double value : expected.values()) {
      scale = Math.max(scale, Math.abs(value));
    }
    for (int i = 0; i < actual.count(); i++) {
      double value = actual.values()[i];
      if (!(Math.abs(value - expected.values()[i]) <= tolerance * scale)) {
        throw new AssertionError(
            "%s %s[%d] is %s, expected %s within %s of %s"
                .formatted(name, tensor, i, value, expected.values()[i], tolerance, scale));
      }
    }
  }
}

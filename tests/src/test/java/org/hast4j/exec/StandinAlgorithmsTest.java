package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.OwnProduct;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.Product;
import org.hast4j.tensor.Window;
import org.hast4j.vendor.CublasLtProducts;
import org.hast4j.vendor.CudnnConvolutions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every method that is offered for a product, chosen or not, against the kernel of ours. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StandinAlgorithmsTest {
  private static final String PURPOSE = "operands";

  private OpenDevice device;
  private CudnnConvolutions cudnn;
  private CublasLtProducts cublasLt;

  @BeforeAll
  void open() {
    Platform.STANDIN.assumeUsable();
    device = Platform.STANDIN.open(Platform.STANDIN.options(1, Precision.FP32, Launching.SINGLE));
    cudnn = new CudnnConvolutions(device, List.of(device.stream()));
    cublasLt = new CublasLtProducts(device, List.of(device.stream()));
  }

  @AfterAll
  void close() {
    if (device != null) {
      cublasLt.close();
      cudnn.close();
      device.close();
    }
  }

  static Stream<Product> products() {
    List<Product> products = new ArrayList<>();
    for (ConvolutionDirection direction : ConvolutionDirection.values()) {
      for (boolean bias : new boolean[] {false, true}) {
        if (!bias || direction == ConvolutionDirection.FORWARD) {
          products.add(Product.linear(3, 5, 7, direction, bias));
          for (ConvolutionShape shape :
              List.of(
                  new ConvolutionShape(2, 4, 5, 6, 7, 1, 1, 1, 0),
                  new ConvolutionShape(2, 5, 4, 3, 8, 3, 3, 1, 1),
                  new ConvolutionShape(2, 7, 6, 5, 4, 3, 3, 2, 1),
                  new ConvolutionShape(
                      2, 7, 6, 4, 6, 3, 3, 2, new Window(2, 1, 1, 2, 1, 2, 1, 2)))) {
            products.add(Product.convolution(shape, direction, bias));
          }
        }
      }
    }
    return products.stream();
  }

  private List<Algorithm> offered(Product product) {
    List<Algorithm> algorithms = new ArrayList<>();
    if (!product.linear()) {
      algorithms.addAll(cudnn.algorithms(product));
    }
    if (product.isMatrixProduct()) {
      algorithms.addAll(cublasLt.algorithms(product));
    }
    return algorithms;
  }

  @ParameterizedTest
  @MethodSource("products")
  void agreesWithOurOwn(Product product) {
    List<Algorithm> algorithms = offered(product);
    assertThat(algorithms).isNotEmpty();
    boolean accumulates =
        !product.linear() && product.direction() == ConvolutionDirection.DATA_GRADIENT;
    for (boolean accumulate : accumulates ? new boolean[] {false, true} : new boolean[] {false}) {
      float[] expected = run(new OwnProduct(device.library(), product), product, accumulate);
      for (Algorithm algorithm : algorithms) {
        float[] actual = run(algorithm, product, accumulate);
        for (int i = 0; i < expected.length; i++) {
          assertThat(actual[i])
              .as("%s, accumulate %s, element %d", algorithm.name(), accumulate, i)
              .isCloseTo(expected[i], within(1e-4f));
        }
      }
    }
    assertThat(device.ledger().bytes()).isZero();
  }

  /** The result, and behind it the gradient of a bias where there is one. */
  private float[] run(Algorithm algorithm, Product product, boolean accumulate) {
    ConvolutionShape shape = product.shape();
    Random random = new Random(1);
    List<Buffer> buffers = new ArrayList<>();
    try {
      long input = fill(buffers, random, shape.inputElements());
      long weight = fill(buffers, random, shape.weightElements());
      long output = fill(buffers, random, shape.outputElements());
      long bias = fill(buffers, random, shape.k());
      long workspace =
          fill(buffers, random, Math.ceilDiv(Math.max(1, algorithm.workspaceBytes()), Float.BYTES));
      boolean forward = product.direction() == ConvolutionDirection.FORWARD;
      boolean weights = product.direction() == ConvolutionDirection.WEIGHT_GRADIENT;
      int result = forward ? 2 : weights ? 1 : 0;
      algorithm
          .bind(
              new Algorithm.Operands(
                  List.of(input, weight, output).get(result),
                  forward ? input : output,
                  weights ? input : weight,
                  product.bias() || product.hasBiasGradient() ? bias : 0,
                  accumulate,
                  workspace,
                  algorithm.workspaceBytes()))
          .launch(device.stream());
      float[] values = download(buffers.get(result));
      float[] biases = product.hasBiasGradient() ? download(buffers.get(3)) : new float[0];
      float[] both = new float[values.length + biases.length];
      System.arraycopy(values, 0, both, 0, values.length);
      System.arraycopy(biases, 0, both, values.length, biases.length);
      return both;
    } finally {
      buffers.forEach(Buffer::close);
    }
  }

  private long fill(List<Buffer> buffers, Random random, long count) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    Buffer buffer = device.allocate(PURPOSE, count * Float.BYTES);
    buffers.add(buffer);
    buffer.upload(0, values);
    return buffer.address(0, buffer.bytes());
  }

  private static float[] download(Buffer buffer) {
    float[] values = new float[Math.toIntExact(buffer.bytes() / Float.BYTES)];
    buffer.download(0, values);
    return values;
  }
}

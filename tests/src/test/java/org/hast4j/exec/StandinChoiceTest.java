package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.device.driver.StandIns;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.io.UserCache;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.Product;
import org.hast4j.tensor.Window;
import org.hast4j.vendor.CublasLtProducts;
import org.hast4j.vendor.CudnnConvolutions;
import org.hast4j.vendor.VendorException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The choice among own kernels and the libraries that stand in for NVIDIA's, and their failures.
 */
class StandinChoiceTest {
  private static final TensorType X = TensorType.f32(2, 6, 6, 4);
  private static final TensorType WEIGHT = TensorType.f32(8, 3, 3, 4);
  private static final String CONVOLUTION = "convolution FORWARD 2x6x6x4 8x3x3 stride 1 pad 1";

  private static final String LINEAR = "linear FORWARD 3x5 7";

  private StandIns standIns;

  @BeforeAll
  static void needsTheStandIns() {
    Platform.STANDIN.assumeUsable();
  }

  @BeforeEach
  void startWithoutTimes() throws IOException {
    standIns = Platform.standIns();
    Files.deleteIfExists(times());
  }

  @AfterEach
  void everythingIsGivenBack() {
    assertThat(standIns.objects()).as("handles and descriptors left").isZero();
    standIns.close();
  }

  private static Path times() {
    return UserCache.folder().resolve("methods.json");
  }

  private static OpenDevice open(ConvolutionChoice choice, Precision precision) {
    return Platform.STANDIN.open(
        new OpenDevice.Options(1, false, precision, Launching.CAPTURED, choice));
  }

  private static OpenDevice open(ConvolutionChoice choice) {
    return open(choice, Precision.FP32);
  }

  /** A convolution of random values. */
  private static float[] convolve(OpenDevice device) {
    return run(device, new Convolution.Conv2d(1, 1), X, WEIGHT);
  }

  /** A linear layer of random values. */
  private static float[] linear(OpenDevice device) {
    return run(device, new Convolution.Linear(), TensorType.f32(3, 5), TensorType.f32(7, 5));
  }

  /** An operation on random values of the types. */
  private static float[] run(OpenDevice device, Op op, TensorType... types) {
    Graph graph = new Graph();
    List<Storage> operands = new ArrayList<>();
    List<Value> variables = new ArrayList<>();
    for (TensorType type : types) {
      Storage operand = Storage.of("operand " + operands.size(), type);
      operands.add(operand);
      variables.add(graph.variable(operand, type));
    }
    Value value = graph.value(op, variables.toArray(Value[]::new));
    Storage y = Storage.of("y", value.type());
    graph.keep(value, y);
    try (Memory memory = new Memory(device);
        Program program = Program.compile("program", graph, memory)) {
      Random random = new Random(1);
      for (Storage storage : operands) {
        float[] values = new float[(int) (storage.bytes() / Float.BYTES)];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextGaussian();
        }
        memory.buffer(storage).upload(0, values);
      }
      program.run();
      return memory.floats(y);
    }
  }

  /** What is kept of a product's methods; a number for each that works. */
  private static JsonNode kept(String product) throws IOException {
    JsonNode root = new ObjectMapper().readTree(times().toFile());
    assertThat(root).hasSize(1);
    return root.iterator().next().path(product);
  }

  @Test
  void cudnnOffersWhatAddsInAFixedOrder() {
    try (OpenDevice device = open(ConvolutionChoice.OWN);
        CudnnConvolutions cudnn = new CudnnConvolutions(device, List.of(device.stream()))) {
      ConvolutionShape three = new ConvolutionShape(2, 8, 8, 4, 8, 3, 3, 1, 1);
      assertThat(names(cudnn, three, ConvolutionDirection.FORWARD))
          .containsExactly("cudnn 0", "cudnn 1", "cudnn 2", "cudnn 6", "cudnn 7");
      assertThat(names(cudnn, three, ConvolutionDirection.DATA_GRADIENT))
          .containsExactly("cudnn 1", "cudnn 4", "cudnn 5");
      assertThat(names(cudnn, three, ConvolutionDirection.WEIGHT_GRADIENT))
          .containsExactly("cudnn 1", "cudnn 5");
      ConvolutionShape strided = new ConvolutionShape(2, 8, 8, 4, 8, 3, 3, 2, 1);
      assertThat(names(cudnn, strided, ConvolutionDirection.DATA_GRADIENT))
          .containsExactly("cudnn 1");
      ConvolutionShape tooLarge = new ConvolutionShape(1L << 32, 8, 8, 4, 8, 3, 3, 1, 1);
      assertThat(names(cudnn, tooLarge, ConvolutionDirection.FORWARD)).isEmpty();
      Window behind = new Window(2, 2, 0, 0, 1, 1, 1, 1);
      ConvolutionShape lopsided = new ConvolutionShape(2, 8, 8, 4, 8, 3, 3, 1, behind);
      assertThat(names(cudnn, lopsided, ConvolutionDirection.FORWARD)).isEmpty();
    }
  }

  private static List<String> names(
      CudnnConvolutions cudnn, ConvolutionShape shape, ConvolutionDirection direction) {
    return cudnn.algorithms(Product.convolution(shape, direction, false)).stream()
        .map(Algorithm::name)
        .toList();
  }

  /** Neither what splits sums, nor what was advised twice or is not supported. */
  @ParameterizedTest
  @EnumSource
  void cublasLtOffersWhatNeverSplitsASum(ConvolutionDirection direction) {
    try (OpenDevice device = open(ConvolutionChoice.OWN);
        CublasLtProducts cublasLt = new CublasLtProducts(device, List.of(device.stream()))) {
      List<Algorithm> algorithms = cublasLt.algorithms(Product.linear(3, 5, 7, direction, false));
      assertThat(algorithms)
          .hasSize(2)
          .allMatch(algorithm -> algorithm.name().startsWith("cublaslt "));
      assertThat(algorithms.getFirst().workspaceBytes()).isPositive();
      assertThat(algorithms.getFirst().name()).isNotEqualTo(algorithms.getLast().name());
      assertThat(cublasLt.algorithms(Product.linear(3, 5, 7, direction, false)))
          .extracting(Algorithm::name)
          .as("names that serve the next run")
          .containsExactlyElementsOf(algorithms.stream().map(Algorithm::name).toList());
      standIns.fail("cublasLtMatmulAlgoGetHeuristic", 15);
      assertThat(cublasLt.algorithms(Product.linear(3, 5, 7, direction, false))).isEmpty();
    }
  }

  @Test
  void operandsMustLieAsCublasLtWasPromised() {
    try (OpenDevice device = open(ConvolutionChoice.OWN);
        CublasLtProducts cublasLt = new CublasLtProducts(device, List.of(device.stream()))) {
      Algorithm algorithm =
          cublasLt
              .algorithms(Product.linear(3, 5, 7, ConvolutionDirection.DATA_GRADIENT, false))
              .getFirst();
      assertThatThrownBy(
              () ->
                  algorithm.bind(new Algorithm.Operands(256, 512, 1024 + 4, 0, false, 2048, 4096)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("linear DATA_GRADIENT 3x5 7")
          .hasMessageContaining("0x404");
    }
  }

  @Test
  void autoMeasuresOnceAndRemembers() throws IOException {
    float[] first;
    try (OpenDevice device = open(ConvolutionChoice.AUTO)) {
      first = convolve(device);
    }
    for (String algorithm : List.of("own", "cudnn 0", "cudnn 1", "cudnn 2", "cudnn 6", "cudnn 7")) {
      assertThat(kept(CONVOLUTION).path(algorithm).isNumber()).as(algorithm).isTrue();
    }
    assertThat(kept(CONVOLUTION)).hasSize(6);
    byte[] kept = Files.readAllBytes(times());
    long calls = standIns.calls("cudnnConvolutionForward");
    assertThat(calls).isPositive();
    try (OpenDevice device = open(ConvolutionChoice.AUTO)) {
      assertThat(convolve(device)).isEqualTo(first);
    }
    assertThat(standIns.calls("cudnnConvolutionForward") - calls)
        .as("once on each of three streams and once for the graph, if it was chosen at all")
        .isLessThanOrEqualTo(4);
    assertThat(Files.readAllBytes(times())).isEqualTo(kept);
  }

  @Test
  void ownNeverAsks() {
    try (OpenDevice device = open(ConvolutionChoice.OWN)) {
      long calls = standIns.calls("cudnnCreate");
      convolve(device);
      assertThat(standIns.calls("cudnnCreate")).isEqualTo(calls);
      assertThat(times()).doesNotExist();
    }
  }

  @Test
  void thePrecisionArrivesAtConvolutionsOnly() {
    List<float[]> convolutions = new ArrayList<>();
    List<float[]> pointwise = new ArrayList<>();
    List<float[]> linears = new ArrayList<>();
    long calls = standIns.calls("cublasLtMatmul");
    for (Precision precision : Precision.values()) {
      try (OpenDevice device = open(ConvolutionChoice.CUDNN, precision)) {
        convolutions.add(convolve(device));
        pointwise.add(run(device, new Convolution.Conv2d(1, 0), X, TensorType.f32(8, 1, 1, 4)));
        linears.add(linear(device));
      }
    }
    assertThat(convolutions.getFirst()).isNotEqualTo(convolutions.getLast());
    assertThat(pointwise.getFirst()).isNotEqualTo(pointwise.getLast());
    assertThat(standIns.calls("cublasLtMatmul")).isGreaterThan(calls);
    assertThat(linears.getFirst()).as("the same as on own kernels").isEqualTo(linears.getLast());
  }

  @Test
  void programsLeaveNothingBehind() {
    try (OpenDevice device = open(ConvolutionChoice.CUDNN)) {
      List<Long> objects = new ArrayList<>();
      for (int round = 0; round < 3; round++) {
        convolve(device);
        run(
            device,
            new Convolution.Linear(),
            TensorType.f32(3, 5),
            TensorType.f32(7, 5),
            TensorType.f32(7));
        objects.add(standIns.objects());
      }
      assertThat(objects).hasSize(3).containsOnly(objects.getFirst());
    }
  }

  @ParameterizedTest
  @EnumSource
  void aFailureNamesTheOperation(Launching launching) {
    try (OpenDevice device =
        Platform.STANDIN.open(Platform.STANDIN.options(1, Precision.FP32, launching))) {
      convolve(device);
      standIns.fail("cudnnConvolutionForward", 5000);
      // The method is chosen already, so that no trial finds out before.
      assertThatThrownBy(() -> convolve(device))
          .isInstanceOf(VendorException.class)
          .hasMessageStartingWith("cudnnConvolutionForward: ")
          .hasMessageContaining("(status 5000)")
          .hasMessageEndingWith(" at Conv2d");
      assertThat(device.ledger().bytes()).isZero();
    }
  }

  @Test
  void linearLayersRunOnOwnKernelsWhereCublasLtAdvisesNothing() {
    standIns.fail("cublasLtMatmulAlgoGetHeuristic", 15);
    long calls = standIns.calls("cublasLtMatmul");
    try (OpenDevice device = open(ConvolutionChoice.CUDNN)) {
      assertThat(linear(device)).doesNotContain(Float.NaN);
    }
    assertThat(standIns.calls("cublasLtMatmul")).isEqualTo(calls);
  }

  @ParameterizedTest
  @EnumSource(names = {"CUDNN", "AUTO"})
  void aLibraryThatDoesNotOpenIsAnErrorOnlyWhereItWasAskedFor(ConvolutionChoice choice)
      throws IOException {
    standIns.fail("cudnnSetStream", 1001);
    try (OpenDevice device = open(choice)) {
      if (choice == ConvolutionChoice.CUDNN) {
        assertThatThrownBy(() -> Products.of(device))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("cudnnSetStream: ")
            .hasMessageContaining("(status 1001); own kernels do without cuDNN");
      } else {
        convolve(device);
        linear(device);
        assertThat(kept(CONVOLUTION).isMissingNode()).as("nothing to choose from").isTrue();
        assertThat(kept(LINEAR)).as("own and cuBLASLt's").hasSize(3);
      }
    }
    standIns.fail("cudnnSetStream", 0);
    Files.deleteIfExists(times());
    standIns.fail("cublasLtCreate", 1);
    try (OpenDevice device = open(choice)) {
      if (choice == ConvolutionChoice.CUDNN) {
        assertThatThrownBy(() -> Products.of(device))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("cublasLtCreate: ")
            .hasMessageContaining("(status 1); own kernels do without cuBLASLt");
      } else {
        linear(device);
        convolve(device);
        assertThat(kept(LINEAR).isMissingNode()).as("nothing to choose from").isTrue();
        assertThat(kept(CONVOLUTION)).as("own and cuDNN's").hasSize(6);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"CUDNN", "AUTO"})
  void algorithmsThatFailArePassedOver(ConvolutionChoice choice) throws IOException {
    standIns.fail("cudnnConvolutionForward", 5000);
    try (OpenDevice device = open(choice)) {
      if (choice == ConvolutionChoice.CUDNN) {
        assertThatThrownBy(() -> convolve(device))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("nothing computes the " + CONVOLUTION)
            .hasMessageContaining("cudnnConvolutionForward: ")
            .hasMessageContaining("(status 5000)");
        assertThat(device.ledger().bytes()).isZero();
        standIns.fail("cudnnConvolutionForward", 0);
        assertThat(convolve(device)).as("the device is still good").doesNotContain(0, Float.NaN);
      } else {
        convolve(device);
        assertThat(kept(CONVOLUTION)).as("the next run tries the others again").hasSize(1);
        assertThat(kept(CONVOLUTION).path("own").isNumber()).isTrue();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2000, 3000, 3007})
  void refusalsAreKept(int status) throws IOException {
    standIns.fail("cudnnConvolutionForward", status);
    try (OpenDevice device = open(ConvolutionChoice.AUTO)) {
      convolve(device);
      assertThat(kept(CONVOLUTION).path("own").isNumber()).isTrue();
      assertThat(kept(CONVOLUTION).path("cudnn 0").isNull()).isTrue();
    }
  }
}

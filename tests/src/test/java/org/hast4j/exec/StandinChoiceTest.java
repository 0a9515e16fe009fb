package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.hast4j.device.ConvolutionChoice;
import org.hast4j.device.Device;
import org.hast4j.device.Platform;
import org.hast4j.device.StandIns;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.io.UserCache;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Precision;
import org.hast4j.vendor.CudnnConvolutions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The choice among own kernels and the libraries that stand in for NVIDIA's, and their failures.
 */
class StandinChoiceTest {
  private static final TensorType X = TensorType.f32(2, 6, 6, 4);
  private static final TensorType WEIGHT = TensorType.f32(8, 3, 3, 4);
  private static final TensorType Y = TensorType.f32(2, 6, 6, 8);
  private static final String CONVOLUTION = "FORWARD 2x6x6x4 8x3x3 stride 1 pad 1";

  private StandIns standIns;

  @BeforeEach
  void startWithoutTimes() throws IOException {
    Platform.STANDIN.assumeUsable();
    standIns = Platform.standIns();
    Files.deleteIfExists(times());
  }

  @AfterEach
  void everythingIsGivenBack() {
    assertThat(standIns.objects()).as("handles and descriptors left").isZero();
    standIns.close();
  }

  private static Path times() {
    return UserCache.folder().resolve("convolutions.json");
  }

  private static Device open(ConvolutionChoice choice, Precision precision) {
    return Platform.STANDIN.open(new Device.Options(1, false, precision, true, choice));
  }

  private static Device open(ConvolutionChoice choice) {
    return open(choice, Precision.FP32);
  }

  /** A convolution of random values. */
  private static float[] convolve(Device device) {
    Graph graph = new Graph();
    Storage x = Storage.of("x", X);
    Storage weight = Storage.of("weight", WEIGHT);
    Storage y = Storage.of("y", Y);
    graph.keep(
        graph.value(new Op.Conv2d(1, 1), graph.variable(x, X), graph.variable(weight, WEIGHT)), y);
    try (Memory memory = new Memory(device);
        Program program = Program.compile("program", graph, memory)) {
      Random random = new Random(1);
      for (Storage storage : List.of(x, weight)) {
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

  private static Set<String> measured() throws IOException {
    JsonNode root = new ObjectMapper().readTree(times().toFile());
    assertThat(root).hasSize(1);
    Set<String> names = new HashSet<>();
    root.iterator().next().path(CONVOLUTION).fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void offersWhatAddsInAFixedOrder() {
    try (Device device = open(ConvolutionChoice.OWN)) {
      CudnnConvolutions cudnn = new CudnnConvolutions(device, List.of(device.stream()));
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
      cudnn.close();
    }
  }

  private static List<String> names(
      CudnnConvolutions cudnn, ConvolutionShape shape, ConvolutionDirection direction) {
    return cudnn.methods(shape, direction).stream().map(ConvolutionMethod::name).toList();
  }

  @Test
  void autoMeasuresOnceAndRemembers() throws IOException {
    float[] first;
    try (Device device = open(ConvolutionChoice.AUTO)) {
      first = convolve(device);
    }
    assertThat(measured()).contains("own", "cudnn 0", "cudnn 1", "cudnn 2", "cudnn 6", "cudnn 7");
    byte[] kept = Files.readAllBytes(times());
    long calls = standIns.calls("cudnnConvolutionForward");
    assertThat(calls).isPositive();
    try (Device device = open(ConvolutionChoice.AUTO)) {
      assertThat(convolve(device)).isEqualTo(first);
    }
    assertThat(standIns.calls("cudnnConvolutionForward") - calls)
        .as("once on each of three streams and once for the graph, if it was chosen at all")
        .isLessThanOrEqualTo(4);
    assertThat(Files.readAllBytes(times())).isEqualTo(kept);
  }

  @Test
  void ownNeverAsks() {
    try (Device device = open(ConvolutionChoice.OWN)) {
      long calls = standIns.calls("cudnnCreate");
      convolve(device);
      assertThat(standIns.calls("cudnnCreate")).isEqualTo(calls);
      assertThat(times()).doesNotExist();
    }
  }

  @Test
  void thePrecisionArrives() {
    List<float[]> results = new ArrayList<>();
    for (Precision precision : Precision.values()) {
      try (Device device = open(ConvolutionChoice.CUDNN, precision)) {
        results.add(convolve(device));
      }
    }
    assertThat(results.getFirst()).isNotEqualTo(results.getLast());
  }

  @ParameterizedTest
  @EnumSource(names = {"CUDNN", "AUTO"})
  void aLibraryThatDoesNotOpenIsAnErrorOnlyWhereItWasAskedFor(ConvolutionChoice choice) {
    standIns.fail("cudnnSetStream", 1001);
    try (Device device = open(choice)) {
      if (choice == ConvolutionChoice.CUDNN) {
        assertThatThrownBy(() -> Convolutions.of(device))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("cudnnSetStream: ")
            .hasMessageContaining("(status 1001); --conv own does without cuDNN");
      } else {
        long calls = standIns.calls("cudnnConvolutionForward");
        convolve(device);
        assertThat(standIns.calls("cudnnConvolutionForward")).isEqualTo(calls);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"CUDNN", "AUTO"})
  void algorithmsThatFailArePassedOver(ConvolutionChoice choice) throws IOException {
    standIns.fail("cudnnConvolutionForward", 5000);
    try (Device device = open(choice)) {
      if (choice == ConvolutionChoice.CUDNN) {
        assertThatThrownBy(() -> convolve(device))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("nothing computes the convolution " + CONVOLUTION)
            .hasMessageContaining("cudnnConvolutionForward: ")
            .hasMessageContaining("(status 5000)");
        assertThat(device.ledger().bytes()).isZero();
        standIns.fail("cudnnConvolutionForward", 0);
        assertThat(convolve(device)).as("the device is still good").doesNotContain(0, Float.NaN);
      } else {
        convolve(device);
        JsonNode entry =
            new ObjectMapper().readTree(times().toFile()).iterator().next().path(CONVOLUTION);
        assertThat(entry.path("own").isNumber()).isTrue();
        assertThat(entry.path("cudnn 0").isNull()).isTrue();
      }
    }
  }
}

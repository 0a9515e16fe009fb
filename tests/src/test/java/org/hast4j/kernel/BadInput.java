package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.hast4j.device.Buffer;
import org.hast4j.device.Devices;
import org.hast4j.device.Platform;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every kernel with one argument at a time spoilt: it must refuse with the documented status, in an
 * exception that names it, and must not have written anything.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class BadInput {
  private static final int ARGUMENT = -1;
  private static final int WORKSPACE = -2;
  private static final int REGION = 16_384;
  private static final long SIZE = 3;

  // Not kernels: memory and streams have tests of their own.
  private static final Set<String> LIFECYCLE =
      Set.of(
          "hast_stream_create",
          "hast_stream_destroy",
          "hast_stream_synchronize",
          "hast_memory_allocate",
          "hast_memory_free",
          "hast_memory_upload",
          "hast_memory_download",
          "hast_memory_download_async",
          "hast_host_allocate",
          "hast_host_free",
          "hast_event_create",
          "hast_event_destroy",
          "hast_event_record",
          "hast_event_query",
          "hast_event_elapsed",
          "hast_stream_wait",
          "hast_stream_math",
          "hast_stream_native",
          "hast_capture_begin",
          "hast_capture_end",
          "hast_graph_launch",
          "hast_graph_destroy",
          "hast_device_count",
          "hast_device_describe",
          "hast_device_memory");

  @RegisterExtension final Devices devices;

  private Buffer buffer;
  Kernels kernels;
  private long stream;

  BadInput(Platform platform) {
    devices = new Devices(platform);
  }

  @BeforeEach
  void open() {
    buffer = devices.open().allocate("arguments", 20 * REGION);
    buffer.clear();
    kernels = devices.open().kernels();
    stream = devices.open().stream();
  }

  @AfterEach
  void close() {
    buffer.close();
  }

  /** A kernel, its binding, and arguments it accepts. */
  private record Kernel(CHeaders.Function function, Method method) {
    @Override
    public String toString() {
      return function.name();
    }
  }

  static Stream<Kernel> kernels() {
    Map<String, CHeaders.Function> functions = CHeaders.functions();
    List<Kernel> kernels = new ArrayList<>();
    new KernelsBinding()
        .symbols()
        .forEach(
            (field, symbol) -> {
              CHeaders.Function function = functions.get(symbol);
              if (function.result().equals("int32_t") && !LIFECYCLE.contains(symbol)) {
                Method method =
                    Arrays.stream(Kernels.class.getMethods())
                        .filter(candidate -> candidate.getName().equals(field))
                        .findFirst()
                        .orElseThrow();
                kernels.add(new Kernel(function, method));
              }
            });
    return kernels.stream();
  }

  /** Arguments of a small valid call: every pointer has a region of its own. */
  private Object[] arguments(Kernel kernel) {
    List<CHeaders.Parameter> parameters = kernel.function().parameters();
    Object[] arguments = new Object[parameters.size()];
    for (int i = 0; i < arguments.length; i++) {
      CHeaders.Parameter parameter = parameters.get(i);
      arguments[i] =
          switch (parameter.kind()) {
            case 'p' ->
                parameter.name().equals("stream")
                    ? (Object) stream
                    : buffer.address((long) i * REGION, REGION);
            case 'j' -> parameter.name().endsWith("bytes") ? (Object) (long) REGION : SIZE;
            case 'i' -> integer(parameter.name());
            default -> number(parameter.name());
          };
    }
    return arguments;
  }

  private static int integer(String name) {
    return switch (name) {
      case "bits" -> 4;
      case "classes" -> 10;
      case "window" -> 3;
      case "accumulate", "draw", "rule", "flip", "training" -> 0;
      default -> 1;
    };
  }

  private static float number(String name) {
    return switch (name) {
      case "scale_max" -> 1;
      case "ratio_min" -> .75f;
      case "ratio_max" -> 1.5f;
      case "ceiling" -> Float.POSITIVE_INFINITY;
      default -> .5f;
    };
  }

  private int status(Kernel kernel, Object[] arguments) {
    try {
      kernel.method().invoke(kernels, arguments);
      return 0;
    } catch (InvocationTargetException e) {
      assertThat(e.getCause()).isInstanceOf(KernelException.class);
      KernelException refused = (KernelException) e.getCause();
      assertThat(refused.function()).isEqualTo(kernel.function().name());
      assertThat(refused).hasMessageContaining(kernel.function().name());
      return refused.status();
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Refusal with a status, without a single byte changed. */
  private void refuses(Kernel kernel, Object[] arguments, int status, String what) {
    int[] before = memory();
    assertThat(status(kernel, arguments)).as("%s with %s", kernel, what).isEqualTo(status);
    assertThat(memory()).as("memory after %s with %s", kernel, what).isEqualTo(before);
  }

  private int[] memory() {
    int[] words = new int[Math.toIntExact(buffer.bytes() / Integer.BYTES)];
    buffer.download(0, words);
    return words;
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void acceptsTheValidCallTheOthersAreMadeFrom(Kernel kernel) {
    assertThat(status(kernel, arguments(kernel))).isZero();
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void refusesNull(Kernel kernel) {
    for (int i = 0; i < kernel.function().parameters().size(); i++) {
      CHeaders.Parameter parameter = kernel.function().parameters().get(i);
      if (parameter.kind() == 'p' && !parameter.nullable()) {
        Object[] arguments = arguments(kernel);
        arguments[i] = 0L;
        refuses(kernel, arguments, ARGUMENT, parameter.name() + " NULL");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void refusesSizesBelowOne(Kernel kernel) {
    for (int i = 0; i < kernel.function().parameters().size(); i++) {
      CHeaders.Parameter parameter = kernel.function().parameters().get(i);
      if (parameter.kind() == 'j' && !parameter.name().endsWith("bytes")) {
        for (long size : new long[] {0, -1, Long.MIN_VALUE}) {
          Object[] arguments = arguments(kernel);
          arguments[i] = size;
          refuses(kernel, arguments, ARGUMENT, parameter.name() + " " + size);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void refusesAttributesOutOfRange(Kernel kernel) {
    Map<String, List<Integer>> bad =
        Map.of(
            "bits", List.of(1, 9, -4, Integer.MAX_VALUE),
            "stride", List.of(0, -1),
            "pad", List.of(-1),
            "window", List.of(0, -1, 17),
            "classes", List.of(0, -5),
            "patience", List.of(-1));
    for (int i = 0; i < kernel.function().parameters().size(); i++) {
      String name = kernel.function().parameters().get(i).name();
      if (kernel.function().parameters().get(i).kind() != 'i') {
        continue;
      }
      for (int value : bad.getOrDefault(name, List.of())) {
        Object[] arguments = arguments(kernel);
        arguments[i] = value;
        refuses(kernel, arguments, ARGUMENT, name + " " + value);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void refusesAWorkspaceThatIsTooSmall(Kernel kernel) {
    List<String> names =
        kernel.function().parameters().stream().map(CHeaders.Parameter::name).toList();
    int bytes = names.indexOf("workspace_bytes");
    if (bytes < 0) {
      return;
    }
    long needed = needed(kernel.function().name());
    if (needed > 0) {
      Object[] arguments = arguments(kernel);
      arguments[bytes] = needed - 1;
      refuses(kernel, arguments, WORKSPACE, "one byte too little");
      arguments[bytes] = -1L;
      refuses(kernel, arguments, WORKSPACE, "a negative workspace");
      arguments[bytes] = needed;
      assertThat(status(kernel, arguments)).as("%s with just enough", kernel).isZero();
    } else {
      Object[] arguments = arguments(kernel);
      arguments[bytes] = 0L;
      arguments[bytes - 1] = 0L;
      assertThat(status(kernel, arguments))
          .as("%s without a workspace it does not need", kernel)
          .isZero();
    }
  }

  private long needed(String function) {
    return switch (function) {
      case "hast_min_max_fwd_f32" -> kernels.minMaxWorkspaceBytes(SIZE);
      case "hast_bn_stats_fwd_f32" -> kernels.bnStatsWorkspaceBytes(SIZE, SIZE);
      case "hast_bn_act_fwd_f32" -> kernels.bnActFwdWorkspaceBytes(SIZE, SIZE, SIZE);
      case "hast_bn_act_bwd_f32" -> kernels.bnActBwdWorkspaceBytes(SIZE, SIZE, SIZE);
      case "hast_channel_sum_fwd_f32" -> kernels.channelSumWorkspaceBytes(SIZE, SIZE);
      case "hast_conv2d_fwd_f32" -> convolution(0);
      case "hast_conv2d_bwd_data_f32" -> convolution(1);
      case "hast_conv2d_bwd_weight_f32" -> convolution(2);
      case "hast_depthwise_fwd_f32" -> depthwise(0);
      case "hast_depthwise_bwd_data_f32" -> depthwise(1);
      case "hast_depthwise_bwd_weight_f32" -> depthwise(2);
      default -> throw new IllegalArgumentException("no workspace query known for " + function);
    };
  }

  private long convolution(int direction) {
    return kernels.conv2dWorkspaceBytes(SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, 1, 1, direction);
  }

  private long depthwise(int direction) {
    return kernels.depthwiseWorkspaceBytes(SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, 1, 1, direction);
  }

  // ---- what depends on more than one argument ----

  private long at(int region) {
    return buffer.address((long) region * REGION, REGION);
  }

  final void refused(Runnable call, String function) {
    assertThatCode(call::run)
        .isInstanceOfSatisfying(
            KernelException.class,
            e -> {
              assertThat(e.status()).isEqualTo(ARGUMENT);
              assertThat(e.function()).isEqualTo(function);
            });
  }

  @Test
  void aKernelLargerThanThePaddedImageIsRefused() {
    refused(
        () ->
            kernels.conv2dFwd(
                at(0), at(1), at(2), 0, at(3), REGION, 1, 2, 2, 3, 3, 5, 5, 1, 1, stream),
        "hast_conv2d_fwd_f32");
    refused(
        () ->
            kernels.conv2dBwdData(
                at(0), at(1), at(2), at(3), REGION, 1, 2, 2, 3, 3, 5, 5, 1, 1, 0, stream),
        "hast_conv2d_bwd_data_f32");
    refused(
        () ->
            kernels.conv2dBwdWeight(
                at(0), at(1), at(2), at(3), REGION, 1, 2, 2, 3, 3, 5, 5, 1, 1, stream),
        "hast_conv2d_bwd_weight_f32");
    refused(
        () ->
            kernels.depthwiseFwd(
                at(0), at(1), at(2), at(3), REGION, 1, 2, 2, 3, 5, 5, 1, 1, stream),
        "hast_depthwise_fwd_f32");
    refused(
        () ->
            kernels.depthwiseBwdData(
                at(0), at(1), at(2), at(3), REGION, 1, 2, 2, 3, 5, 5, 1, 1, 0, stream),
        "hast_depthwise_bwd_data_f32");
    refused(
        () ->
            kernels.depthwiseBwdWeight(
                at(0), at(1), at(2), at(3), REGION, 1, 2, 2, 3, 5, 5, 1, 1, stream),
        "hast_depthwise_bwd_weight_f32");
  }

  @Test
  void poolingOfNothingButPaddingIsRefused() {
    refused(
        () -> kernels.maxPoolFwd(at(0), at(1), at(2), 1, 4, 4, 3, 2, 2, 2, stream),
        "hast_max_pool_fwd_f32");
    refused(
        () -> kernels.maxPoolBwd(at(0), at(1), at(2), 1, 4, 4, 3, 7, 2, 1, stream),
        "hast_max_pool_bwd_f32");
  }

  @Test
  void halfAPairIsRefused() {
    refused(
        () ->
            kernels.bnActFwd(
                at(0),
                0,
                at(1),
                0,
                0,
                at(2),
                0,
                0,
                0,
                at(3),
                at(4),
                0,
                at(5),
                REGION,
                3,
                3,
                3,
                .1f,
                0,
                Float.POSITIVE_INFINITY,
                0,
                stream),
        "hast_bn_act_fwd_f32");
    refused(
        () ->
            kernels.bnActBwd(
                at(0), 0, at(1), 0, at(2), at(3), at(4), 0, 0, at(5), at(6), 0, 0, 0, at(7), REGION,
                3, 3, 3, .1f, 0, 0, stream),
        "hast_bn_act_bwd_f32");
    refused(
        () ->
            kernels.bnActBwd(
                at(0), 0, 0, 0, at(2), at(3), at(4), 0, 0, at(5), at(6), 0, at(1), 0, at(7), REGION,
                3, 3, 3, .1f, 0, 0, stream),
        "hast_bn_act_bwd_f32");
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0, -1", "0, NaN", "0.2, 6"})
  void aCeilingThatCannotBeIsRefused(float slope, float ceiling) {
    refused(
        () ->
            kernels.bnActFwd(
                at(0), 0, 0, 0, 0, at(2), 0, 0, 0, at(3), at(4), 0, at(5), REGION, 3, 3, 3, .1f,
                slope, ceiling, 0, stream),
        "hast_bn_act_fwd_f32");
  }

  @Test
  void anActivationGradientNeedsItsMask() {
    refused(
        () ->
            kernels.bnActBwd(
                at(0), 0, 0, 0, at(2), 0, at(4), 0, 0, at(5), at(6), 0, 0, 0, at(7), REGION, 3, 3,
                3, .1f, .2f, 0, stream),
        "hast_bn_act_bwd_f32");
    assertThatCode(
            () ->
                kernels.bnActBwd(
                    at(0), 0, 0, 0, at(2), 0, at(4), 0, 0, at(5), at(6), 0, 0, 0, at(7), REGION, 3,
                    3, 3, .1f, 1, 0, stream))
        .doesNotThrowAnyException();
  }

  @Test
  void anUnknownDeviceIsRefused() {
    for (Runnable call :
        List.<Runnable>of(
            () -> kernels.deviceDescribe(1000),
            () -> kernels.deviceMemory(-1),
            () -> kernels.streamCreate(1007, 1, false),
            () -> kernels.memoryAllocate(100, 1002))) {
      assertThatCode(call::run)
          .isInstanceOfSatisfying(KernelException.class, e -> assertThat(e.status()).isEqualTo(-4));
    }
  }

  @Test
  void memoryOfNoSizeIsRefused() {
    refused(() -> kernels.memoryAllocate(0, 0), "hast_memory_allocate");
    refused(() -> kernels.memoryAllocate(-1, 0), "hast_memory_allocate");
    refused(() -> kernels.memoryFree(0, 0), "hast_memory_free");
    refused(() -> kernels.memoryCopy(at(0), at(1), 0, stream), "hast_memory_copy");
    refused(() -> kernels.memoryCopy(at(0), 0, 8, stream), "hast_memory_copy");
  }

  @Test
  void everyStatusHasAText() {
    for (int status = -7; status <= 0; status++) {
      assertThat(kernels.statusText(status)).isNotBlank();
    }
    assertThat(kernels.statusText(-1)).isNotEqualTo(kernels.statusText(-2));
    assertThat(kernels.statusText(-12345)).isNotBlank();
    assertThat(kernels.statusText(Integer.MAX_VALUE)).isNotBlank();
  }
}

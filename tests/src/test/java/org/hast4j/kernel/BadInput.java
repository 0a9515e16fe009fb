package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.hast4j.kernel.SmallCalls.SIZE;
import static org.hast4j.kernel.SmallCalls.WINDOW;

import java.util.List;
import java.util.Map;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.SmallCalls.Kernel;
import org.hast4j.kernel.abi.Abi;
import org.hast4j.kernel.abi.BnActBwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnActFwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnStatsWorkspaceBytes;
import org.hast4j.kernel.abi.ChannelSumWorkspaceBytes;
import org.hast4j.kernel.abi.Conv2dWorkspaceBytes;
import org.hast4j.kernel.abi.DepthwiseWorkspaceBytes;
import org.hast4j.kernel.abi.DeviceMemory;
import org.hast4j.kernel.abi.MemoryAllocate;
import org.hast4j.kernel.abi.MemoryCopy;
import org.hast4j.kernel.abi.MemoryFree;
import org.hast4j.kernel.abi.MinMaxWorkspaceBytes;
import org.hast4j.kernel.abi.PreluBwdWorkspaceBytes;
import org.hast4j.kernel.abi.StreamCreate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every kernel with one argument at a time spoilt: it must refuse with the documented status, in an
 * exception that names it, and must not have written anything.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class BadInput {
  private static final int ARGUMENT = -1;
  private static final int WORKSPACE = -2;

  @RegisterExtension final Devices devices;

  private SmallCalls calls;
  KernelLibrary library;

  BadInput(Platform platform) {
    devices = new Devices(platform);
  }

  @BeforeEach
  void open() {
    calls = new SmallCalls(devices.open());
    library = devices.open().library();
  }

  @AfterEach
  void close() {
    calls.close();
  }

  /** Refusal with a status, without a single byte changed. */
  final void refuses(Kernel kernel, Map<String, Object> spoilt, int status) {
    Map<String, Object> arguments = calls.arguments(kernel);
    assertThat(arguments).containsKeys(spoilt.keySet().toArray(String[]::new));
    arguments.putAll(spoilt);
    int[] before = calls.memory();
    assertThat(calls.status(kernel, arguments)).as("%s with %s", kernel, spoilt).isEqualTo(status);
    assertThat(calls.memory()).as("memory after %s with %s", kernel, spoilt).isEqualTo(before);
  }

  private void refuses(Kernel kernel, String parameter, Object value, int status) {
    refuses(kernel, Map.of(parameter, value), status);
  }

  /** Refusal of arguments of which each by itself is right. */
  private void refuses(String function, Map<String, Object> spoilt) {
    refuses(SmallCalls.kernel(function), spoilt, ARGUMENT);
  }

  @ParameterizedTest
  @MethodSource("org.hast4j.kernel.SmallCalls#kernels")
  void acceptsTheValidCallTheOthersAreMadeFrom(Kernel kernel) {
    assertThat(calls.status(kernel, calls.arguments(kernel))).isZero();
  }

  @ParameterizedTest
  @MethodSource("org.hast4j.kernel.SmallCalls#kernels")
  void refusesNull(Kernel kernel) {
    for (NativeCall.Parameter parameter : calls.parameters(kernel)) {
      if (parameter.address() && !parameter.optional()) {
        refuses(kernel, parameter.name(), 0L, ARGUMENT);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.hast4j.kernel.SmallCalls#kernels")
  void refusesSizesBelowOne(Kernel kernel) {
    for (NativeCall.Parameter parameter : calls.parameters(kernel)) {
      String name = parameter.name();
      if (!parameter.address() && kernel.typeOf(name) == long.class && !name.endsWith("bytes")) {
        for (long size : new long[] {0, -1, Long.MIN_VALUE}) {
          refuses(kernel, name, size, ARGUMENT);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.hast4j.kernel.SmallCalls#kernels")
  void refusesAttributesOutOfRange(Kernel kernel) {
    Map<String, List<Integer>> bad =
        Map.of(
            "bits", List.of(1, 9, -4, Integer.MAX_VALUE),
            "groups", List.of(0, -1, 2, 4, Integer.MIN_VALUE),
            "stride", List.of(0, -1),
            "pad", List.of(-1),
            "classes", List.of(0, -5),
            "patience", List.of(-1),
            "kind", List.of(-1, 1000),
            "rule", List.of(-1, 2),
            "begin", List.of(-1, 1, Integer.MAX_VALUE));
    for (NativeCall.Parameter parameter : calls.parameters(kernel)) {
      if (kernel.typeOf(parameter.name()) == int.class) {
        for (int value : bad.getOrDefault(parameter.name(), List.of())) {
          refuses(kernel, parameter.name(), value, ARGUMENT);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.hast4j.kernel.SmallCalls#kernels")
  void refusesAWorkspaceThatIsTooSmall(Kernel kernel) {
    Map<String, Object> arguments = calls.arguments(kernel);
    if (!arguments.containsKey("workspace_bytes")) {
      return;
    }
    long needed = needed(kernel.function());
    if (needed > 0) {
      refuses(kernel, "workspace_bytes", needed - 1, WORKSPACE);
      refuses(kernel, "workspace_bytes", -1L, WORKSPACE);
      arguments.put("workspace_bytes", needed);
      assertThat(calls.status(kernel, arguments)).as("%s with just enough", kernel).isZero();
    } else {
      arguments.put("workspace_bytes", 0L);
      arguments.put("workspace", 0L);
      assertThat(calls.status(kernel, arguments))
          .as("%s without a workspace it does not need", kernel)
          .isZero();
    }
  }

  private long needed(String function) {
    return switch (function) {
      case "hast_min_max_fwd_f32" -> new MinMaxWorkspaceBytes(library).n(SIZE).call();
      case "hast_bn_stats_fwd_f32" -> new BnStatsWorkspaceBytes(library).rows(SIZE).c(SIZE).call();
      case "hast_bn_act_fwd_f32" ->
          new BnActFwdWorkspaceBytes(library).n(SIZE).hw(SIZE).c(SIZE).call();
      case "hast_bn_act_bwd_f32" ->
          new BnActBwdWorkspaceBytes(library).n(SIZE).hw(SIZE).c(SIZE).call();
      case "hast_prelu_bwd_f32" -> new PreluBwdWorkspaceBytes(library).rows(SIZE).c(SIZE).call();
      case "hast_channel_sum_fwd_f32" ->
          new ChannelSumWorkspaceBytes(library).rows(SIZE).c(SIZE).call();
      case "hast_conv2d_fwd_f32" -> convolution(WINDOW, 0);
      case "hast_conv2d_bwd_data_f32" -> convolution(WINDOW, 1);
      case "hast_conv2d_bwd_weight_f32" -> convolution(WINDOW, 2);
      case "hast_depthwise_fwd_f32" -> depthwise(WINDOW, 0);
      case "hast_depthwise_bwd_data_f32" -> depthwise(WINDOW, 1);
      case "hast_depthwise_bwd_weight_f32" -> depthwise(WINDOW, 2);
      default -> throw new IllegalArgumentException("no workspace query known for " + function);
    };
  }

  private long convolution(int[] window, int direction) {
    return new Conv2dWorkspaceBytes(library)
        .n(SIZE)
        .h(SIZE)
        .w(SIZE)
        .c(SIZE)
        .k(SIZE)
        .r(SIZE)
        .s(SIZE)
        .groups(1)
        .window(window)
        .direction(direction)
        .call();
  }

  private long depthwise(int[] window, int direction) {
    return new DepthwiseWorkspaceBytes(library)
        .n(SIZE)
        .h(SIZE)
        .w(SIZE)
        .c(SIZE)
        .r(SIZE)
        .s(SIZE)
        .window(window)
        .direction(direction)
        .call();
  }

  // ---- what depends on more than one argument ----

  private long stream() {
    return devices.open().stream();
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

  private static List<String> windowed() {
    return List.of(
        "hast_conv2d_fwd_f32",
        "hast_conv2d_bwd_data_f32",
        "hast_conv2d_bwd_weight_f32",
        "hast_depthwise_fwd_f32",
        "hast_depthwise_bwd_data_f32",
        "hast_depthwise_bwd_weight_f32",
        "hast_avg_pool_fwd_f32",
        "hast_avg_pool_bwd_f32",
        "hast_max_pool_fwd_f32",
        "hast_max_pool_bwd_f32");
  }

  @Test
  void aKernelLargerThanThePaddedImageIsRefused() {
    for (String function : windowed()) {
      refuses(function, Map.of("h", 2L, "w", 2L, "r", 5L, "s", 5L));
    }
  }

  /** Of a 3x3 filter on 3x3 pixels; windows are read on the host, whatever the device. */
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 0",
    "0, -1",
    "1, -2147483648",
    "2, -1",
    "3, -1",
    "4, -1",
    "5, -2147483648",
    "6, 0",
    "7, 0",
    "6, -1",
    "7, -3",
    "6, 3",
    "7, 2147483647"
  })
  void refusesWindowsOutOfRange(int component, int value) {
    int[] window = WINDOW.clone();
    window[component] = value;
    refusesWindow(window);
  }

  /** Sizes that overflow. */
  @Test
  void refusesPaddingsWithoutBounds() {
    int most = Integer.MAX_VALUE;
    refusesWindow(new int[] {1, 1, most, most, most, most, 1, 1});
  }

  private void refusesWindow(int[] window) {
    windowed().forEach(function -> refuses(function, Map.of("window", window)));
    for (int direction = 0; direction < 3; direction++) {
      int at = direction;
      refused(() -> convolution(window, at), "hast_conv2d_workspace_bytes");
      refused(() -> depthwise(window, at), "hast_depthwise_workspace_bytes");
    }
  }

  private static List<String> pools() {
    return windowed().stream().filter(function -> function.contains("_pool_")).toList();
  }

  /** Padding above, on the left, below or on the right that a window of 3x2 fits into. */
  @ParameterizedTest
  @CsvSource({"2, 3", "3, 2", "4, 3", "5, 2", "4, 2147483647"})
  void poolingOfNothingButPaddingIsRefused(int component, int value) {
    int[] window = {1, 1, 0, 0, 0, 0, 1, 1};
    window[component] = value;
    pools().forEach(function -> refuses(function, Map.of("s", 2L, "window", window)));
  }

  @ParameterizedTest
  @ValueSource(ints = {6, 7})
  void dilatedPoolingIsRefused(int component) {
    int[] window = {1, 1, 1, 1, 1, 1, 1, 1};
    window[component] = 2;
    pools().forEach(function -> refuses(function, Map.of("window", window)));
  }

  @Test
  void theNumberOfAMaxPoolsCellIsAByte() {
    for (String function : List.of("hast_max_pool_fwd_f32", "hast_max_pool_bwd_f32")) {
      Map<String, Object> all = Map.of("n", 1L, "c", 1L, "h", 1L, "w", 257L, "r", 1L, "s", 257L);
      refuses(function, all);
    }
  }

  @Test
  void halfAPairIsRefused() {
    refuses("hast_bn_act_fwd_f32", Map.of("batch_variance", 0L));
    refuses("hast_bn_act_bwd_f32", Map.of("dbeta", 0L));
    refuses("hast_bn_act_bwd_f32", Map.of("batch_mean", 0L));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0, -1", "0, NaN", "0.2, 6"})
  void aCeilingThatCannotBeIsRefused(float slope, float ceiling) {
    refuses("hast_bn_act_fwd_f32", Map.of("slope", slope, "ceiling", ceiling));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "0, -1", "0, NaN", "0.2, 6"})
  void anActivationsCeilingThatCannotBeIsRefused(float slope, float ceiling) {
    Map<String, Object> spoilt =
        Map.of("kind", Abi.ACTIVATION_RELU, "slope", slope, "ceiling", ceiling);
    refuses("hast_activation_fwd_f32", spoilt);
    refuses("hast_activation_bwd_f32", spoilt);
  }

  @Test
  void aGradientInRangeNeedsSlopeZero() {
    refuses("hast_bn_act_fwd_f32", Map.of("in_range", 1, "slope", .2f));
  }

  @Test
  void anActivationGradientNeedsItsMask() {
    refuses("hast_bn_act_bwd_f32", Map.of("mask", 0L, "slope", .2f));
    Kernel kernel = SmallCalls.kernel("hast_bn_act_bwd_f32");
    Map<String, Object> arguments = calls.arguments(kernel);
    arguments.putAll(Map.of("mask", 0L, "slope", 1f));
    assertThat(calls.status(kernel, arguments)).isZero();
  }

  @Test
  void anUnknownDeviceIsRefused() {
    for (Runnable call :
        List.<Runnable>of(
            () -> library.describe(1000),
            () -> new DeviceMemory(library).ordinal(-1).call(),
            () -> new StreamCreate(library).ordinal(1007).threads(1).pin(0).call(),
            () -> new MemoryAllocate(library).bytes(100).ordinal(1002).call())) {
      assertThatCode(call::run)
          .isInstanceOfSatisfying(KernelException.class, e -> assertThat(e.status()).isEqualTo(-4));
    }
  }

  @Test
  void memoryOfNoSizeIsRefused() {
    refused(() -> new MemoryAllocate(library).bytes(0).ordinal(0).call(), "hast_memory_allocate");
    refused(() -> new MemoryAllocate(library).bytes(-1).ordinal(0).call(), "hast_memory_allocate");
    refused(() -> new MemoryFree(library).address(0).ordinal(0).call(), "hast_memory_free");
    refused(
        () ->
            new MemoryCopy(library)
                .destination(calls.at(0))
                .source(calls.at(1))
                .bytes(0)
                .launch(stream()),
        "hast_memory_copy");
    refused(
        () -> new MemoryCopy(library).destination(calls.at(0)).source(0).bytes(8).launch(stream()),
        "hast_memory_copy");
  }

  @Test
  void everyStatusHasAText() {
    for (int status = -7; status <= 0; status++) {
      assertThat(library.statusText(status)).isNotBlank();
    }
    assertThat(library.statusText(-1)).isNotEqualTo(library.statusText(-2));
    assertThat(library.statusText(-12345)).isNotBlank();
    assertThat(library.statusText(Integer.MAX_VALUE)).isNotBlank();
  }
}

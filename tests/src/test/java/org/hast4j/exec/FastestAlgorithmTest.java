package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.failure.UnavailableException;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.KernelFailure;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.Product;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The choice by measured times, on methods whose times are known. */
class FastestAlgorithmTest {
  private static final ConvolutionShape SHAPE = new ConvolutionShape(2, 8, 8, 4, 4, 3, 3, 1, 1);
  private static final String HERE = "this device, these libraries";

  @TempDir private Path scratch;
  private Path file;

  private final Map<String, Double> speed = new HashMap<>();
  private final Map<String, RuntimeException> failures = new HashMap<>();
  private final List<String> measured = new ArrayList<>();
  private final List<String> ran = new ArrayList<>();
  private final List<String> messages = new ArrayList<>();
  private final Map<String, Long> workspaces = new HashMap<>();
  private long memory = Long.MAX_VALUE;
  private int open;

  @BeforeEach
  void speeds() {
    file = scratch.resolve("cache/methods.json");
    speed.putAll(Map.of("own", 3.0, "a", 2.0, "b", 5.0));
  }

  private record Named(String name, long workspaceBytes) implements Algorithm {
    @Override
    public Launch bind(Operands operands) {
      throw new AssertionError("only a trial runs a method");
    }
  }

  /** Knows the time or the failure of each method. */
  private final class KnownTrial implements ProductTrial {
    KnownTrial(List<Algorithm> algorithms) {
      if (algorithms.stream().anyMatch(algorithm -> algorithm.workspaceBytes() > memory)) {
        throw shortage();
      }
      open++;
    }

    @Override
    public void run(Algorithm algorithm) {
      ran.add(algorithm.name());
      check(algorithm);
    }

    @Override
    public double milliseconds(Algorithm algorithm) {
      measured.add(algorithm.name());
      check(algorithm);
      return speed.get(algorithm.name());
    }

    private void check(Algorithm algorithm) {
      if (failures.containsKey(algorithm.name())) {
        throw failures.get(algorithm.name());
      }
    }

    @Override
    public void close() {
      open--;
    }
  }

  /** As a device tells of it. */
  private static DeviceMemoryException shortage() {
    try (OpenDevice device = Platform.CPU.open(1)) {
      return catchThrowableOfType(
          DeviceMemoryException.class, () -> device.allocate("a test", 1L << 60));
    }
  }

  /** What a run of the program chooses, and keeps for the next. */
  private String run(String environment, ConvolutionDirection direction, String... algorithms) {
    measured.clear();
    ran.clear();
    AlgorithmTimes times = new AlgorithmTimes(file, environment, messages::add);
    String name = choose(times, direction, algorithms);
    times.save();
    assertThat(open).as("trials left open").isZero();
    return name;
  }

  private String choose(
      AlgorithmTimes times, ConvolutionDirection direction, String... algorithms) {
    List<Algorithm> offered =
        List.of(algorithms).stream()
            .map(name -> (Algorithm) new Named(name, workspaces.getOrDefault(name, 0L)))
            .toList();
    return new FastestAlgorithm(times, (_, trialled) -> new KnownTrial(trialled), messages::add)
        .choose(Product.convolution(SHAPE, direction, false), offered)
        .name();
  }

  private String run(String... algorithms) {
    return run(HERE, ConvolutionDirection.FORWARD, algorithms);
  }

  @Test
  void measuresOnceAndTakesTheFastest() {
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).containsExactly("own", "a", "b");
    // What was chosen runs before a program captures it, also where its time is known.
    speed.putAll(Map.of("own", 1.0, "a", 9.0));
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).isEmpty();
    assertThat(ran).containsExactly("a");
    assertThat(messages).isEmpty();
  }

  @Test
  void theFirstOfEqualsWins() {
    speed.putAll(Map.of("own", 2.0, "a", 2.0, "b", 2.0));
    assertThat(run("own", "a", "b")).isEqualTo("own");
  }

  @Test
  void timesBelongToAnEnvironmentAndADirection() {
    run("own", "a", "b");
    speed.put("own", 1.0);
    assertThat(run("another driver", ConvolutionDirection.FORWARD, "own", "a")).isEqualTo("own");
    assertThat(measured).containsExactly("own", "a");
    assertThat(run(HERE, ConvolutionDirection.DATA_GRADIENT, "own", "a")).isEqualTo("own");
    assertThat(measured).containsExactly("own", "a");
    assertThat(run("own", "a", "b")).as("what was known before").isEqualTo("a");
  }

  @Test
  void timesOfMoreMethodsServeFewer() {
    run("own", "a", "b");
    assertThat(run("own", "b")).isEqualTo("own");
    assertThat(measured).isEmpty();
  }

  @Test
  void aNewMethodIsMeasuredBesideTheOthers() {
    run("own", "b");
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).containsExactly("own", "a", "b");
  }

  @Test
  void devicesOpenAtTheSameTimeAgree() {
    AlgorithmTimes first = new AlgorithmTimes(file, HERE, messages::add);
    AlgorithmTimes second = new AlgorithmTimes(file, HERE, messages::add);
    choose(second, ConvolutionDirection.DATA_GRADIENT, "own", "a");
    choose(first, ConvolutionDirection.FORWARD, "own", "a");
    first.save();
    speed.put("own", 1.0);
    assertThat(choose(second, ConvolutionDirection.FORWARD, "own", "a")).isEqualTo("a");
    second.save();
    measured.clear();
    assertThat(choose(first, ConvolutionDirection.DATA_GRADIENT, "own", "a")).isEqualTo("a");
    assertThat(measured).isEmpty();
  }

  private void fail(String algorithm) {
    failures.put(algorithm, new IllegalStateException(algorithm + " fails"));
  }

  @Test
  void aMethodThatFailsIsNotTakenAndTriedAgainByTheNextRun() {
    fail("a");
    assertThat(run("own", "a", "b")).isEqualTo("own");
    assertThat(run("own", "a", "b")).isEqualTo("own");
    assertThat(measured).containsExactly("own", "a", "b");
    assertThat(messages).as("another library that fails is no news").isEmpty();
    failures.clear();
    assertThat(run("own", "a", "b")).isEqualTo("a");
  }

  @Test
  void largeWorkspacesAreLeftOutWhereTheMemoryIsShort() {
    workspaces.putAll(Map.of("own", 10L, "a", 30L, "b", 20L));
    memory = 15;
    assertThat(run("own", "a", "b")).isEqualTo("own");
    assertThat(measured).containsExactly("own");
    memory = 20;
    assertThat(run("own", "a", "b")).as("shortage is not kept").isEqualTo("own");
    assertThat(measured).containsExactly("own", "b");
    memory = 30;
    assertThat(run("own", "a", "b")).isEqualTo("a");
    memory = 5;
    assertThatThrownBy(() -> run("own", "a", "b")).isInstanceOf(DeviceMemoryException.class);
  }

  @Test
  void whereTimesAreKnownThereIsRoomForTheFastestOnly() {
    workspaces.putAll(Map.of("own", 10L, "a", 20L, "b", 30L));
    run("own", "a", "b");
    memory = 20;
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).isEmpty();
    memory = 10;
    assertThat(run("own", "a", "b")).isEqualTo("own");
  }

  @Test
  void aRefusalOfAKernelOfOursIsReportedOnceAndKept() {
    failures.put("own", KernelFailure.of("hast_conv2d_fwd_f32", -5));
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).isEmpty();
    assertThat(messages)
        .containsExactly(
            "the convolution FORWARD 2x8x8x4 4x3x3 stride 1 pad 1 is computed without the method"
                + " own, which fails: hast_conv2d_fwd_f32: a failure (status -5)");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFailureThatCostsTheDeviceEndsTheRun(boolean known) {
    if (known) {
      run("own", "a", "b");
    }
    failures.put("a", KernelFailure.of("hast_stream_synchronize", 700));
    assertThatThrownBy(() -> run("own", "a", "b"))
        .isInstanceOf(KernelException.class)
        .hasMessageContaining("a kernel failed on the device");
    assertThat(measured).doesNotContain("b");
    assertThat(open).isZero();
  }

  @Test
  void aChoiceThatFailsLaterIsMadeAnew() {
    run("own", "a", "b");
    fail("a");
    assertThat(run("own", "a", "b")).isEqualTo("own");
    assertThat(ran).containsExactly("a");
    assertThat(measured).containsExactly("own", "a", "b");
  }

  @Test
  void itIsAnErrorThatEveryMethodFails() {
    fail("a");
    fail("b");
    assertThatThrownBy(() -> run("a", "b"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("FORWARD 2x8x8x4 4x3x3 stride 1 pad 1")
        .hasMessageContaining("[a, b]: a fails")
        .satisfies(
            failure ->
                assertThat(failure.getSuppressed())
                    .extracting(Throwable::getMessage)
                    .containsExactly("a fails", "b fails"));
    assertThat(open).isZero();
  }

  /** Of kernels that fail without a reason that a user could do something about it is a defect. */
  @Test
  void itIsTheMachinesWhereEveryMethodLacksSomething() {
    failures.put("a", KernelFailure.of("hast_conv2d_fwd_f32", -5));
    failures.put("b", KernelFailure.of("hast_conv2d_fwd_f32", -3));
    assertThatThrownBy(() -> run("a", "b")).isInstanceOf(UnavailableException.class);
    failures.put("b", KernelFailure.of("hast_conv2d_fwd_f32", -1));
    assertThatThrownBy(() -> run("a", "b")).isExactlyInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"this device, these libraries\": {\"FORWARD",
        "{\"this device, these libraries\": 3}",
        "{\"this device, these libraries\": {\"c\": [1]}}",
        "{\"this device, these libraries\": {\"c\": {\"own\": \"fast\"}}}",
        "{\"elsewhere\": {\"c\": {\"own\": -1}}}"
      })
  void aCorruptFileIsReportedOnceAndReplaced(String content) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, content);
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).containsExactly("own", "a", "b");
    assertThat(messages).hasSize(1);
    assertThat(messages.getFirst()).contains(file.toString(), "measured again");
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(measured).isEmpty();
    assertThat(messages).hasSize(1);
  }

  @Test
  void aFolderThatCannotBeMadeCostsOnlyTheTimes() throws IOException {
    Files.writeString(scratch.resolve("cache"), "a file where the folder should be");
    assertThat(run("own", "a", "b")).isEqualTo("a");
    assertThat(messages).isNotEmpty().allMatch(message -> message.contains("measured again"));
  }

  @Test
  void forgetsTheOldestEnvironments() throws IOException {
    for (int i = 0; i < 40; i++) {
      run("build " + i, ConvolutionDirection.FORWARD, "own");
    }
    assertThat(Files.readString(file)).contains("build 39", "build 24").doesNotContain("build 23");
  }
}

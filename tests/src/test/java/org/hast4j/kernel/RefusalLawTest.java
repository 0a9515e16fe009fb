package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.SmallCalls.Kernel;
import org.hast4j.kernel.abi.Abi;

/** Whether a call is right does not depend on the library that is asked. */
class RefusalLawTest {
  private static final List<Kernel> KERNELS = SmallCalls.kernels().toList();

  // What is accepted must fit the regions: no size or window is large.
  private static final long[] SIZES = {Long.MIN_VALUE, -1, 0, 1, 2, 3, 4};
  private static final int[] INTEGERS = {Integer.MIN_VALUE, -1, 0, 1, 2, 3, 8, 9, 16, 17};
  private static final int[] STEPS = {-1, 0, 1, 1, 1, 2, 3};
  private static final float[] NUMBERS = {
    Float.NaN, Float.NEGATIVE_INFINITY, -1, 0, .2f, 1, 6, Float.POSITIVE_INFINITY
  };

  private static OpenDevice cpu;
  private static OpenDevice emulated;
  private static SmallCalls onCpu;
  private static SmallCalls onEmulated;

  @BeforeContainer
  static void open() {
    Platform.EMULATED.assumeUsable();
    cpu = Platform.CPU.open(1);
    emulated = Platform.EMULATED.open(1);
    onCpu = new SmallCalls(cpu);
    onEmulated = new SmallCalls(emulated);
  }

  @AfterContainer
  static void close() {
    if (cpu != null) {
      onCpu.close();
      onEmulated.close();
      cpu.close();
      emulated.close();
    }
  }

  @Property(tries = 4000)
  void theLibrariesAnswerAnyCallAlike(@ForAll long seed) {
    Random random = new Random(seed);
    Kernel kernel = KERNELS.get(random.nextInt(KERNELS.size()));
    int often = 2 + random.nextInt(8);
    long choices = random.nextLong();
    Map<String, Object> arguments = spoilt(onCpu, kernel, new Random(choices), often);
    int answer = answer(onCpu, kernel, arguments);
    assertThat(answer(onEmulated, kernel, spoilt(onEmulated, kernel, new Random(choices), often)))
        .as("%s with %s", kernel, arguments)
        .isEqualTo(answer);
    assertThat(answer).isIn(Abi.OK, Abi.EARGUMENT);
  }

  /** A call on memory of zeros, which are labels and empty boxes. */
  private static int answer(SmallCalls calls, Kernel kernel, Map<String, Object> arguments) {
    calls.clear();
    return calls.status(kernel, arguments);
  }

  /** The arguments of a valid call, one in `often` of them replaced; the workspace stays. */
  private static Map<String, Object> spoilt(
      SmallCalls calls, Kernel kernel, Random random, int often) {
    Map<String, Object> arguments = calls.arguments(kernel);
    List<NativeCall.Parameter> parameters = calls.parameters(kernel);
    for (NativeCall.Parameter parameter : parameters) {
      String name = parameter.name();
      if (name.startsWith("workspace") || random.nextInt(often) != 0) {
        continue;
      }
      Class<?> type = kernel.typeOf(name);
      Object value;
      if (parameter.address()) {
        // Of another parameter, or none.
        value = random.nextBoolean() ? 0L : calls.at(random.nextInt(parameters.size()));
      } else if (type == long.class) {
        value = SIZES[random.nextInt(SIZES.length)];
      } else if (type == int.class) {
        value = INTEGERS[random.nextInt(INTEGERS.length)];
      } else if (type == int[].class) {
        value = IntStream.range(0, 8).map(i -> STEPS[random.nextInt(STEPS.length)]).toArray();
      } else {
        value = NUMBERS[random.nextInt(NUMBERS.length)];
      }
      arguments.put(name, value);
    }
    return arguments;
  }
}

package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.abi.Abi;
import org.hast4j.tensor.Window;

/** Small calls of every kernel, any of whose arguments may be replaced. */
final class SmallCalls implements AutoCloseable {
  static final int REGION = 16_384;
  static final long SIZE = 3;
  static final int[] WINDOW = new Window(1, 1).toArray();

  private static final int REGIONS = 20;
  private static final int WORKSPACE_BYTES = 1 << 17;

  // Memory, streams, events and graphs have tests of their own.
  private static final Pattern LIFECYCLE =
      Pattern.compile("hast_(stream|memory|host|event|capture|graph|device)_.*");

  private final OpenDevice device;
  private final Buffer buffer;

  SmallCalls(OpenDevice device) {
    this.device = device;
    buffer = device.allocate("arguments", REGIONS * REGION + WORKSPACE_BYTES);
    buffer.clear();
  }

  @Override
  public void close() {
    buffer.close();
  }

  /** A kernel and the class that its header makes. */
  record Kernel(String function, Class<?> type) {
    private KernelCall call(KernelLibrary library) {
      try {
        return (KernelCall) type.getConstructor(KernelLibrary.class).newInstance(library);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }

    /** The setter of a parameter. */
    private Method setter(String parameter) {
      String name = Names.inJava(parameter);
      return Arrays.stream(type.getMethods())
          .filter(method -> method.getName().equals(name) && method.getParameterCount() == 1)
          .findFirst()
          .orElseThrow();
    }

    /** The Java type of a parameter: long, int, float or int[]. */
    Class<?> typeOf(String parameter) {
      return setter(parameter).getParameterTypes()[0];
    }

    @Override
    public String toString() {
      return function;
    }
  }

  static Kernel kernel(String function) {
    return new Kernel(function, Names.classOf(function));
  }

  static Stream<Kernel> kernels() {
    return Abi.FUNCTIONS.stream()
        .filter(function -> !LIFECYCLE.matcher(function).matches())
        .map(SmallCalls::kernel)
        .filter(kernel -> KernelCall.class.isAssignableFrom(kernel.type()));
  }

  List<NativeCall.Parameter> parameters(Kernel kernel) {
    return kernel.call(device.library()).parameters();
  }

  /** Arguments of a valid call: every pointer has a region of its own. */
  Map<String, Object> arguments(Kernel kernel) {
    Map<String, Object> arguments = new LinkedHashMap<>();
    for (NativeCall.Parameter parameter : parameters(kernel)) {
      String name = parameter.name();
      Class<?> type = kernel.typeOf(name);
      Object value;
      if (name.equals("workspace")) {
        value = buffer.address((long) REGIONS * REGION, WORKSPACE_BYTES);
      } else if (parameter.address()) {
        value = at(arguments.size());
      } else if (type == long.class) {
        value = name.endsWith("bytes") ? (long) WORKSPACE_BYTES : SIZE;
      } else if (type == int.class) {
        value = integer(name);
      } else if (type == int[].class) {
        value = WINDOW;
      } else {
        value = number(name);
      }
      arguments.put(name, value);
    }
    return arguments;
  }

  private static int integer(String name) {
    return switch (name) {
      case "bits" -> 4;
      case "classes" -> 10;
      case "begin", "accumulate", "draw", "rule", "flip", "training", "in_range" -> 0;
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

  /** What the library answers. */
  int status(Kernel kernel, Map<String, Object> arguments) {
    KernelCall call = kernel.call(device.library());
    arguments.forEach(
        (name, value) -> {
          try {
            kernel.setter(name).invoke(call, new Object[] {value});
          } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
          }
        });
    try {
      call.launch(device.stream());
      return 0;
    } catch (KernelException e) {
      assertThat(e.function()).isEqualTo(kernel.function());
      assertThat(e).hasMessageContaining(kernel.function());
      return e.status();
    }
  }

  /** The address of a region. */
  long at(int region) {
    return buffer.address((long) region * REGION, REGION);
  }

  int[] memory() {
    int[] words = new int[Math.toIntExact(buffer.bytes() / Integer.BYTES)];
    buffer.download(0, words);
    return words;
  }

  void clear() {
    buffer.clear();
  }
}

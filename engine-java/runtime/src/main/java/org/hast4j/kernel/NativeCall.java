package org.hast4j.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.hast4j.kernel.abi.Abi;

/**
 * A call of one function of the C ABI, of one library. Its classes are generated from the headers:
 * arguments are set by name and stay set, so that a call can be made again. Addresses are raw
 * {@code long}s, 0 for one left out. A status other than 0 becomes a {@link KernelException}.
 */
public abstract class NativeCall {
  /** The function's address, the first argument of its method handle. */
  protected final MemorySegment function;

  private final KernelLibrary library;
  private final String name;
  private final List<Parameter> parameters;
  private long unset;

  /**
   * What is set before a call.
   *
   * @param name as in C
   * @param address whether it is one of device memory
   * @param optional whether it may be left out
   */
  public record Parameter(String name, boolean address, boolean optional) {
    /** Whether the value is wrong for every function: no address, or a size below 1. */
    private boolean refuses(Object value) {
      return value instanceof Long number
          && (address ? number == 0 && !optional : number < 1 && !name.endsWith("bytes"));
    }

    private String text(Object value) {
      String text =
          switch (value) {
            case Long number when address -> number == 0 ? "NULL" : "0x%x".formatted(number);
            case MemorySegment host when host.isNative() ->
                Arrays.toString(host.toArray(ValueLayout.JAVA_INT));
            case MemorySegment host -> host.byteSize() + " bytes";
            default -> String.valueOf(value);
          };
      return name + " = " + text;
    }
  }

  /**
   * A call with nothing set.
   *
   * @param name the C symbol
   */
  protected NativeCall(KernelLibrary library, String name, List<Parameter> parameters) {
    this.library = library;
    this.name = name;
    this.parameters = parameters;
    function = library.symbol(name);
    for (int i = 0; i < parameters.size(); i++) {
      if (!parameters.get(i).optional()) {
        unset |= 1L << i;
      }
    }
  }

  /** Calls the function with the arguments as they are set; gives what it returns. */
  protected abstract long invoke(long stream) throws Throwable;

  /** The arguments in the order of the parameters. */
  protected abstract Object[] arguments();

  /** Numbers in memory of the host, which lives as long as the call. */
  protected static MemorySegment ints(int... values) {
    return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_INT, values);
  }

  /** Notes that a parameter has its argument. */
  protected final void set(int parameter) {
    unset &= ~(1L << parameter);
  }

  /** What is set before the call, in the order of the C function. */
  public final List<Parameter> parameters() {
    return parameters;
  }

  /** The C symbol. */
  public final String name() {
    return name;
  }

  /** Calls a function that returns a status. */
  protected final void run(long stream) {
    int status = (int) result(stream);
    if (status != 0) {
      throw failure(status);
    }
  }

  /** Calls a function that returns a number, or a negative status. */
  protected final long query() {
    long value = result(0);
    if (value < 0) {
      throw failure((int) value);
    }
    return value;
  }

  private long result(long stream) {
    if (unset != 0) {
      throw new IllegalStateException(
          IntStream.range(0, parameters.size())
              .filter(i -> (unset & 1L << i) != 0)
              .mapToObj(i -> parameters.get(i).name())
              .collect(Collectors.joining(", ", name + " is called without ", "")));
    }
    try {
      return invoke(stream);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(name + " threw " + e, e);
    }
  }

  private KernelException failure(int status) {
    return new KernelException(
        name,
        status,
        "%s: %s (status %d)%s"
            .formatted(name, library.statusText(status), status, arguments(status)));
  }

  /** What a refused call was given: first what no function takes. */
  private String arguments(int status) {
    if (status != Abi.EARGUMENT && status != Abi.EWORKSPACE && status != Abi.EUNSUPPORTED) {
      return "";
    }
    Object[] values = arguments();
    List<String> refused = new ArrayList<>();
    List<String> all = new ArrayList<>();
    for (int i = 0; i < values.length; i++) {
      Parameter parameter = parameters.get(i);
      String text = parameter.text(values[i]);
      (parameter.refuses(values[i]) ? refused : all).add(text);
    }
    String given = String.join(", ", all);
    return refused.isEmpty()
        ? ": " + given
        : ": %s; with %s".formatted(String.join(", ", refused), given);
  }
}

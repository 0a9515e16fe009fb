package org.hast4j.golden;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Interpreter;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.DType;

/**
 * A graph over given inputs that is run twice: by the interpreter in double precision and as a
 * program on a device. So a golden vector checks the oracle and the kernels at once.
 */
final class Runs implements AutoCloseable {
  private final Graph graph = new Graph();
  private final Map<Storage, Tensor> inputs = new LinkedHashMap<>();
  private final Map<Value, Storage> kept = new HashMap<>();
  private final List<Value> watched = new ArrayList<>();
  private final Interpreter interpreter = new Interpreter();
  private final Memory memory;
  private Program program;

  Runs(OpenDevice device) {
    memory = new Memory(device);
  }

  Graph graph() {
    return graph;
  }

  /** A variable that starts with a tensor's values. */
  Value input(Tensor tensor) {
    Storage storage = Storage.of("input", tensor.type());
    inputs.put(storage, tensor);
    return graph.variable(storage, tensor.type());
  }

  Value apply(Op op, Value... values) {
    return graph.value(op, values);
  }

  /** Has results read back by {@link #compare}. */
  void watch(Value... values) {
    for (Value value : values) {
      watched.add(value);
      if (!(value.node().op() instanceof Op.Variable)) {
        Storage storage = Storage.of("result", value.type());
        kept.put(value, storage);
        graph.keep(value, storage);
      }
    }
  }

  /** Sets a variable anew, for both. */
  void set(Value variable, Tensor tensor) {
    Storage storage = ((Op.Variable) variable.node().op()).storage();
    interpreter.write(storage, 0, tensor);
    upload(storage, tensor);
  }

  private void upload(Storage storage, Tensor tensor) {
    if (tensor.type().dtype() == DType.F32) {
      memory.buffer(storage).upload(0, tensor.floats());
    } else if (tensor.type().dtype() == DType.I32) {
      int[] integers = new int[tensor.count()];
      for (int i = 0; i < integers.length; i++) {
        integers[i] = (int) tensor.values()[i];
      }
      memory.buffer(storage).upload(0, integers);
    } else {
      long[] longs = new long[tensor.count()];
      for (int i = 0; i < longs.length; i++) {
        longs[i] = (long) tensor.values()[i];
      }
      memory.buffer(storage).upload(0, longs);
    }
  }

  /** Runs both once more. */
  void run() {
    if (program == null) {
      program = Program.compile("golden", graph, memory);
      inputs.forEach((storage, tensor) -> interpreter.write(storage, 0, tensor));
      inputs.forEach(this::upload);
    }
    interpreter.run(graph);
    program.run();
  }

  private Storage storage(Value value) {
    return value.node().op() instanceof Op.Variable variable ? variable.storage() : kept.get(value);
  }

  /** What the interpreter has for a watched value. */
  Tensor reference(Value value) {
    return interpreter.read(storage(value), 0, value.type());
  }

  /** What the device has for a watched value. */
  Tensor device(Value value) {
    int count = Math.toIntExact(value.type().shape().elements());
    return Tensor.floats(memory.floats(storage(value), count), value.type().shape().sizes());
  }

  /** Hands out both results of a watched value: the reference, then the device's. */
  void compare(Value value, BiConsumer<Tensor, Tensor> check) {
    check.accept(reference(value), device(value));
  }

  @Override
  public void close() {
    if (program != null) {
      program.close();
    }
    memory.close();
  }
}

package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.DType;

/**
 * Runs a case on a device as a graph of one node. Every tensor lies between guard bands that must
 * not change, or where its memory ends, and a canary beside the workspace; outputs are filled with
 * NaN before the run, so that an element nobody writes is found; a second run, over whatever the
 * first left in the workspace, must give the same bits.
 */
final class OpRun {
  // A multiple of 64 bytes as the parameters of a network have, but of no more.
  private static final int OFFSET = 64 * 17;
  private static final int GUARD = 1024;
  // The device's memory comes in multiples of so many bytes.
  private static final int ALLOCATION = 256;
  // As a float a NaN, as an int absurd, as a mask neither 0 nor 1.
  private static final byte POISON = (byte) 0xA5;
  private static final int NAN = 0x7FE5A5A5;

  private static final TensorType CANARY_TYPE = TensorType.f32(1, 1, 1, 64);
  private static final Storage CANARY = Storage.of("canary", CANARY_TYPE);

  private final OpenDevice device;
  private final OpCase test;
  private final boolean inPlace;
  private final int alignment;

  /**
   * Prepares a run.
   *
   * @param inPlace passes float inputs through a node of their own first, so that the planner may
   *     write outputs over them
   */
  OpRun(OpenDevice device, OpCase test, boolean inPlace) {
    this(device, test, inPlace, 0);
  }

  private OpRun(OpenDevice device, OpCase test, boolean inPlace, int alignment) {
    this.device = device;
    this.test = test;
    this.inPlace = inPlace && !test.op().effect();
    this.alignment = alignment;
  }

  /**
   * A run without guard bands, for devices that find accesses behind their memory, reads too.
   *
   * @param alignment of the tensors' addresses, at least 1: less than so many bytes lie between the
   *     end of a tensor and of its memory
   */
  static OpRun atTheEnd(OpenDevice device, OpCase test, int alignment) {
    return new OpRun(device, test, false, alignment);
  }

  /** The bytes of each result; null for outputs that are not wanted. */
  List<byte[]> run() {
    Graph graph = new Graph();
    List<Storage> inputs = new ArrayList<>();
    List<Value> values = new ArrayList<>();
    for (Tensor tensor : test.inputs()) {
      Storage storage = guarded("input", tensor.type());
      inputs.add(storage);
      Value value = graph.variable(storage, offset(tensor.type()), tensor.type());
      boolean copied = inPlace && tensor.type().dtype() == DType.F32;
      values.add(copied ? graph.value(new Elementwise.Scale(1), value) : value);
    }
    // Lives on the program's slab beside the workspace while the operation runs.
    Value canary = graph.value(new Elementwise.Scale(1), graph.variable(CANARY, CANARY_TYPE));
    Node node = graph.apply(test.op(), values.toArray(Value[]::new));
    Storage survivor = Storage.of("canary after", CANARY_TYPE);
    // The mean of one pixel; not an operation whose result could be written over the canary itself.
    graph.keep(graph.value(new Pooling.GlobalAvgPool(), canary), survivor);
    List<Storage> outputs = new ArrayList<>();
    for (int i = 0; i < node.outputs().size(); i++) {
      Storage storage = null;
      if (test.wanted().contains(i)) {
        TensorType type = node.outputs().get(i);
        storage = guarded("output", type);
        graph.keep(node.output(i), storage, offset(type));
      }
      outputs.add(storage);
    }
    try (Memory memory = new Memory(device);
        Program program = Program.compile("workspace", graph, memory)) {
      float[] song = new float[Math.toIntExact(CANARY_TYPE.shape().elements())];
      Arrays.fill(song, 1.25f);
      memory.buffer(CANARY).upload(0, song);
      List<byte[]> first = once(memory, program, inputs, outputs);
      List<byte[]> second = once(memory, program, inputs, outputs);
      for (int i = 0; i < first.size(); i++) {
        assertThat(second.get(i)).as("result %d of a second run", i).isEqualTo(first.get(i));
      }
      assertThat(memory.floats(survivor)).as("memory beside the workspace").containsExactly(song);
      return first;
    }
  }

  private List<byte[]> once(
      Memory memory, Program program, List<Storage> inputs, List<Storage> outputs) {
    List<byte[]> before = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      byte[] image = poisoned(inputs.get(i));
      Tensor tensor = test.inputs().get(i);
      byte[] bytes = bytes(tensor);
      System.arraycopy(bytes, 0, image, offset(tensor.type()), bytes.length);
      upload(memory, inputs.get(i), image);
      before.add(image);
    }
    for (Storage storage : outputs) {
      if (storage != null) {
        upload(memory, storage, poisoned(storage));
      }
    }
    program.run();
    List<byte[]> results = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      byte[] after = download(memory, inputs.get(i));
      if (test.op().effect()) {
        results.add(inside("in-out " + i, after, test.inputs().get(i).type()));
      } else {
        assertThat(Arrays.mismatch(after, before.get(i)))
            .as("byte of input %d that changed", i)
            .isEqualTo(-1);
      }
    }
    List<TensorType> types = test.op().effect() ? List.of() : test.results();
    for (int i = 0; i < outputs.size(); i++) {
      Storage storage = outputs.get(i);
      results.add(
          storage == null ? null : inside("output " + i, download(memory, storage), types.get(i)));
    }
    return results;
  }

  /** Checks the guard bands and gives what lies between. */
  private byte[] inside(String what, byte[] image, TensorType type) {
    int begin = offset(type);
    int end = begin + Math.toIntExact(type.bytes());
    for (int i = 0; i < image.length; i++) {
      if ((i < begin || i >= end) && image[i] != poison(i)) {
        throw new AssertionError(
            "%s %s: byte %d, outside [%d, %d), was overwritten"
                .formatted(what, type, i, begin, end));
      }
    }
    return Arrays.copyOfRange(image, begin, end);
  }

  /** Where a tensor begins in its storage. */
  private int offset(TensorType type) {
    return alignment == 0
        ? OFFSET
        : Math.floorMod(-type.bytes(), ALLOCATION) / alignment * alignment;
  }

  private Storage guarded(String name, TensorType type) {
    long bytes = offset(type) + type.bytes() + (alignment == 0 ? GUARD : 0);
    return new Storage(name, Math.ceilDiv(bytes, Integer.BYTES) * Integer.BYTES);
  }

  private static byte poison(int index) {
    return index % 4 < 2 ? POISON : (byte) (NAN >>> index % 4 * 8);
  }

  private static byte[] poisoned(Storage storage) {
    byte[] image = new byte[Math.toIntExact(storage.bytes())];
    for (int i = 0; i < image.length; i++) {
      image[i] = poison(i);
    }
    return image;
  }

  private static void upload(Memory memory, Storage storage, byte[] image) {
    int[] words = new int[image.length / Integer.BYTES];
    ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(words);
    memory.buffer(storage).upload(0, words);
  }

  private static byte[] download(Memory memory, Storage storage) {
    int[] words = new int[Math.toIntExact(storage.bytes() / Integer.BYTES)];
    memory.buffer(storage).download(0, words);
    byte[] image = new byte[words.length * Integer.BYTES];
    ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().put(words);
    return image;
  }

  private static byte[] bytes(Tensor tensor) {
    ByteBuffer buffer =
        ByteBuffer.allocate(Math.toIntExact(tensor.type().bytes())).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : tensor.values()) {
      switch (tensor.type().dtype()) {
        case F32 -> buffer.putFloat((float) value);
        case I32 -> buffer.putInt((int) value);
        case I64 -> buffer.putLong((long) value);
        case U8 -> buffer.put((byte) value);
        case F64, F16, BF16, I8 ->
            throw new IllegalArgumentException("no kernel takes " + tensor.type());
      }
    }
    return buffer.array();
  }

  /** A result's bytes as numbers. */
  static Tensor tensor(byte[] bytes, TensorType type) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    Tensor tensor = Tensor.zeros(type);
    for (int i = 0; i < tensor.count(); i++) {
      tensor.values()[i] =
          switch (type.dtype()) {
            case F32 -> buffer.getFloat();
            case I32 -> buffer.getInt();
            case I64 -> buffer.getLong();
            case U8 -> buffer.get() & 0xFF;
            case F64, F16, BF16, I8 ->
                throw new IllegalArgumentException("no kernel gives " + type);
          };
    }
    return tensor;
  }
}

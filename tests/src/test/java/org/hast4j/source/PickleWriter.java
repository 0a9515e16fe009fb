package org.hast4j.source;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Writes pickles of protocol 2, those of torch.save above all, opcode by opcode. */
final class PickleWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** The name of a class or function. */
  record Name(String module, String name) {}

  record Call(Object function, Object... arguments) {}

  /** An object whose class makes it without its constructor. */
  record New(Object type, Object... arguments) {}

  record Built(Object object, Object state) {}

  record Tuple(Object... items) {}

  record Persistent(Object id) {}

  /** Opcodes that leave one value. */
  record Raw(byte[] opcodes) {}

  /** The pickle of a value. */
  static byte[] pickle(Object value) {
    return new PickleWriter().opcodes(0x80, 2).value(value).opcodes('.').bytes();
  }

  /** Opcodes and their arguments, a byte each. */
  static byte[] raw(Object... parts) {
    PickleWriter writer = new PickleWriter();
    for (Object part : parts) {
      switch (part) {
        case Integer b -> writer.opcodes(b);
        case Character c -> writer.opcodes(c);
        case String text -> writer.out.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
        case byte[] bytes -> writer.out.writeBytes(bytes);
        default -> throw new IllegalArgumentException(part.toString());
      }
    }
    return writer.bytes();
  }

  static Persistent storage(String type, String key, long elements) {
    return new Persistent(new Tuple("storage", torch(type), key, "cpu", elements));
  }

  /** A tensor as PyTorch from 0.4 on writes it. */
  static Call tensor(Object storage, long offset, List<Long> sizes, List<Long> strides) {
    return new Call(
        new Name("torch._utils", "_rebuild_tensor_v2"),
        storage,
        offset,
        new Tuple(sizes.toArray()),
        new Tuple(strides.toArray()),
        false,
        new Call(new Name("collections", "OrderedDict")));
  }

  static Name torch(String name) {
    return new Name("torch", name);
  }

  private PickleWriter opcodes(int... bytes) {
    for (int b : bytes) {
      out.write(b);
    }
    return this;
  }

  byte[] bytes() {
    return out.toByteArray();
  }

  private PickleWriter value(Object value) {
    switch (value) {
      case null -> opcodes('N');
      case Boolean flag -> opcodes(flag ? 0x88 : 0x89);
      case Integer number -> value((long) number);
      case Long number -> {
        opcodes(0x8a, Long.BYTES);
        out.writeBytes(buffer(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(number).array());
      }
      case Double number -> {
        opcodes('G');
        out.writeBytes(buffer(Double.BYTES).putDouble(number).array());
      }
      case String text -> {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        opcodes('X');
        ByteBuffer length = buffer(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        out.writeBytes(length.putInt(bytes.length).array());
        out.writeBytes(bytes);
      }
      case List<?> list -> {
        opcodes(']', '(');
        list.forEach(this::value);
        opcodes('e');
      }
      case Map<?, ?> dict -> {
        opcodes('}', '(');
        dict.forEach((k, v) -> value(k).value(v));
        opcodes('u');
      }
      case Tuple tuple -> {
        opcodes('(');
        for (Object item : tuple.items) {
          value(item);
        }
        opcodes('t');
      }
      case Name name ->
          out.writeBytes(
              ("c" + name.module + "\n" + name.name + "\n").getBytes(StandardCharsets.UTF_8));
      case Call call -> value(call.function).value(new Tuple(call.arguments)).opcodes('R');
      case New made -> value(made.type).value(new Tuple(made.arguments)).opcodes(0x81);
      case Built built -> value(built.object).value(built.state).opcodes('b');
      case Persistent persistent -> value(persistent.id).opcodes('Q');
      case Raw raw -> out.writeBytes(raw.opcodes);
      default -> throw new IllegalArgumentException(value.toString());
    }
    return this;
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes);
  }
}

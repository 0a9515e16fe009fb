package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.source.torch.Pickled.Dict;
import org.hast4j.source.torch.Pickled.Global;
import org.hast4j.source.torch.Pickled.Opaque;
import org.hast4j.source.torch.Pickled.Sequence;
import org.hast4j.source.torch.Pickled.Storage;

/**
 * Reads pickles of protocols 0 to 5 as descriptions of objects. It runs none of the code that a
 * pickle names: a call becomes what {@link Rebuilders} makes of it. The memory that it takes is
 * bounded by a multiple of the bytes read, and it does not recurse.
 *
 * @see <a href="https://github.com/python/cpython/blob/main/Lib/pickletools.py">the opcodes</a>
 */
final class PickleMachine {
  private static final int LAST_PROTOCOL = 5;
  private static final int MAX_DIGITS = 1000;
  private static final int MAX_NAMES = 1000;

  /** Bytes of heap that a pickle may take: these, and so many for each of its own. */
  private static final long BASE_BYTES = 1 << 24;

  private static final long BYTES_PER_BYTE = 8;
  private static final long MOST_BYTES = 1 << 28;

  // What things take, roughly.
  private static final int SLOT = 8;
  private static final int BOXED = 24;
  private static final int OBJECT = 96;
  private static final int FIRST_ENTRY = 160;
  private static final int ENTRY = 64;

  private final PickleInput input;
  private final Rebuilders rebuilders;
  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private final Set<String> names = new LinkedHashSet<>();
  private final List<Object> stack = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();
  private final Map<Long, Object> memo = new HashMap<>();
  private long taken;

  PickleMachine(PickleInput input) {
    this.input = input;
    this.rebuilders = new Rebuilders(input);
  }

  /** The storages that the pickles so far have named, by their keys. */
  Map<String, Storage> storages() {
    return storages;
  }

  /** The classes and functions that the pickles so far have named, at most the first 1000. */
  Set<String> names() {
    return names;
  }

  /**
   * The object of the next pickle.
   *
   * @throws org.hast4j.io.CorruptFileException if it is damaged, or too large for its bytes
   */
  Object load() {
    stack.clear();
    marks.clear();
    memo.clear();
    while (true) {
      int opcode = input.unsignedByte();
      if (opcode == '.') {
        return pop();
      }
      step(opcode);
    }
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> requireProtocol(input.unsignedByte());
      case 0x95 -> input.int64(); // a frame: nothing depends on its length
      case '(' -> {
        take(BOXED);
        marks.add(stack.size());
      }
      case '0' -> popOrUnmark();
      case '1' -> popToMark();
      case '2' -> push(peek());
      case 'N', 0x88, 0x89, 'I', 'J', 'K', 'M', 'L', 0x8a, 0x8b, 'F', 'G' -> push(number(opcode));
      case 'S', 'T', 'U', 'V', 'X', 0x8c, 0x8d -> push(text(opcode));
      case 'B', 'C', 0x8e, 0x96 -> push(bytes(opcode));
      case ')', ']', 0x8f -> push(sequence(List.of()));
      case 'l', 't', 0x91 -> push(sequence(popToMark()));
      case 0x85, 0x86, 0x87 -> push(sequence(pop(opcode - 0x84)));
      case '}' -> push(dict());
      case 'd' -> {
        List<Object> items = popToMark();
        push(dict());
        putAll(items);
      }
      case 'a' -> addAll(pop(1));
      case 'e', 0x90 -> addAll(popToMark());
      case 's' -> putAll(pop(2));
      case 'u' -> putAll(popToMark());
      case 'g' -> push(recall(index(input.line())));
      case 'h' -> push(recall(input.unsignedByte()));
      case 'j' -> push(recall(input.unsignedInt()));
      case 'p' -> remember(index(input.line()));
      case 'q' -> remember(input.unsignedByte());
      case 'r' -> remember(input.unsignedInt());
      case 0x94 -> remember(memo.size());
      case 'c' -> push(global(input.line(), input.line()));
      case 0x93 -> {
        List<Object> pair = pop(2);
        push(global(asText(pair.get(0)), asText(pair.get(1))));
      }
      case 'R', 0x81 -> {
        Object arguments = pop();
        push(call(pop(), arguments));
      }
      case 0x92 -> {
        pop(); // arguments by name
        Object arguments = pop();
        push(call(pop(), arguments));
      }
      case 'i' -> {
        Global type = global(input.line(), input.line());
        push(call(type, sequence(popToMark())));
      }
      case 'o' -> {
        List<Object> items = popToMark();
        if (items.isEmpty()) {
          throw input.corrupt("makes an object of no class");
        }
        push(call(items.getFirst(), sequence(items.subList(1, items.size()))));
      }
      case 'b' -> {
        Object state = pop();
        // Dictionaries and tensors are complete without theirs.
        if (peek() instanceof Opaque opaque) {
          opaque.setState(state);
        }
      }
      case 'Q' -> {
        take(OBJECT);
        push(rebuilders.persistent(pop(), storages));
      }
      case 'P' -> push(rebuilders.persistent(input.line(), storages));
      case 0x82, 0x83, 0x84 -> throw input.corrupt("names classes by numbers of a registry");
      case 0x97, 0x98 -> throw input.corrupt("has bytes that lie outside its pickle");
      default ->
          throw input.corrupt(
              "is damaged: no pickle has the opcode 0x%02x, at byte %d"
                  .formatted(opcode, input.position() - 1));
    }
  }

  private void requireProtocol(int protocol) {
    if (protocol > LAST_PROTOCOL) {
      throw input.corrupt(
          "has pickle protocol %d; save it with one up to %d".formatted(protocol, LAST_PROTOCOL));
    }
  }

  /** Counts memory, before it is taken. */
  private void take(long bytes) {
    taken += bytes;
    if (taken > Math.min(BASE_BYTES + BYTES_PER_BYTE * input.position(), MOST_BYTES)) {
      throw input.corrupt(
          "describes far more objects than a network has, by byte " + input.position());
    }
  }

  private void push(Object value) {
    take(SLOT);
    stack.add(value);
  }

  private int mark() {
    return marks.isEmpty() ? 0 : marks.getLast();
  }

  private Object peek() {
    if (stack.size() <= mark()) {
      throw input.corrupt("is damaged: its pickle lacks a value, at byte " + input.position());
    }
    return stack.getLast();
  }

  private Object pop() {
    peek();
    return stack.removeLast();
  }

  private List<Object> pop(int count) {
    if (stack.size() - mark() < count) {
      throw input.corrupt("is damaged: its pickle lacks a value, at byte " + input.position());
    }
    return cut(stack.size() - count);
  }

  private List<Object> popToMark() {
    if (marks.isEmpty()) {
      throw input.corrupt("is damaged: its pickle lacks a mark, at byte " + input.position());
    }
    return cut(marks.removeLast());
  }

  private void popOrUnmark() {
    if (!marks.isEmpty() && marks.getLast() == stack.size()) {
      marks.removeLast();
    } else {
      pop();
    }
  }

  private List<Object> cut(int start) {
    List<Object> top = stack.subList(start, stack.size());
    take((long) SLOT * top.size());
    List<Object> items = new ArrayList<>(top);
    top.clear();
    return items;
  }

  private Sequence sequence(List<Object> items) {
    take(OBJECT + (long) SLOT * items.size());
    return new Sequence(items);
  }

  private Dict dict() {
    take(OBJECT);
    return new Dict();
  }

  private void addAll(List<Object> items) {
    take((long) SLOT * items.size());
    switch (peek()) {
      case Sequence sequence -> sequence.items().addAll(items);
      // A kind of list: what it holds is no part of a network.
      case Opaque _ -> {}
      case null, default -> throw input.corrupt("adds to something that is no list");
    }
  }

  private void putAll(List<Object> items) {
    if (items.size() % 2 != 0) {
      throw input.corrupt("is damaged: a key of a dict has no value, at byte " + input.position());
    }
    Dict dict =
        switch (peek()) {
          case Dict own -> own;
          case Opaque opaque -> opaque.items();
          case null, default -> throw input.corrupt("puts a key into something that is no dict");
        };
    take((dict.isEmpty() ? FIRST_ENTRY : 0) + (long) ENTRY / 2 * items.size());
    for (int i = 0; i < items.size(); i += 2) {
      dict.put(items.get(i), items.get(i + 1));
    }
  }

  private void remember(long index) {
    Object value = peek();
    take(memo.containsKey(index) ? BOXED : BOXED + ENTRY);
    memo.put(index, value);
  }

  private Object recall(long index) {
    Object value = memo.get(index);
    if (value == null && !memo.containsKey(index)) {
      throw input.corrupt("is damaged: its pickle refers to an object that it has not described");
    }
    return value;
  }

  private long index(String digits) {
    return integer(digits) instanceof Long index ? index : -1;
  }

  private Global global(String module, String name) {
    take(OBJECT + 2L * (module.length() + name.length()));
    Global global = new Global(module, name);
    if (names.size() < MAX_NAMES) {
      names.add(Description.of(global));
    }
    return global;
  }

  private String asText(Object value) {
    if (value instanceof String text) {
      return text;
    }
    throw input.corrupt("names a class by something else than a text");
  }

  private Object call(Object callable, Object arguments) {
    take(2 * OBJECT);
    if (!(arguments instanceof Sequence sequence)) {
      throw input.corrupt("makes a call without arguments, at byte " + input.position());
    }
    // A dictionary of pairs is as large as its argument, which other calls may have too.
    take(sequence.item(0) instanceof Sequence pairs ? (long) ENTRY * pairs.items().size() : 0);
    return rebuilders.call(callable, sequence);
  }

  /** None, a truth value or a number. */
  private Object number(int opcode) {
    take(BOXED);
    return switch (opcode) {
      case 'N' -> null;
      case 0x88 -> true;
      case 0x89 -> false;
      case 'I' -> {
        String line = input.line();
        yield switch (line) {
          case "00" -> false;
          case "01" -> true;
          default -> integer(line);
        };
      }
      case 'J' -> (long) input.int32();
      case 'K' -> (long) input.unsignedByte();
      case 'M' -> (long) input.unsignedShort();
      case 'L' -> {
        String line = input.line();
        yield integer(line.endsWith("L") ? line.substring(0, line.length() - 1) : line);
      }
      case 0x8a -> integer(input.array(input.unsignedByte()));
      case 0x8b -> integer(input.array(shortLength(input.int32())));
      case 'F' -> real(input.line());
      default -> input.bigEndianDouble();
    };
  }

  private int shortLength(int length) {
    if (length < 0 || length > MAX_DIGITS) {
      throw input.corrupt("has a number of " + Integer.toUnsignedString(length) + " bytes");
    }
    return length;
  }

  /** Of little-endian bytes in two's complement; none are 0. */
  private static Object integer(byte[] bytes) {
    byte[] reversed = new byte[bytes.length + 1];
    for (int i = 0; i < bytes.length; i++) {
      reversed[reversed.length - 1 - i] = bytes[i];
    }
    if (bytes.length > 0 && bytes[bytes.length - 1] < 0) {
      reversed[0] = -1;
    }
    return smallest(new BigInteger(reversed));
  }

  private Object integer(String digits) {
    try {
      shortLength(digits.length());
      return smallest(new BigInteger(digits.strip()));
    } catch (NumberFormatException e) {
      throw input.corrupt("has the number '" + Description.cleaned(digits) + "'");
    }
  }

  private static Object smallest(BigInteger number) {
    return number.bitLength() < Long.SIZE ? (Object) number.longValue() : number;
  }

  private Object real(String digits) {
    try {
      shortLength(digits.length());
      return switch (digits.strip()) {
        case "inf" -> Double.POSITIVE_INFINITY;
        case "-inf" -> Double.NEGATIVE_INFINITY;
        case "nan" -> Double.NaN;
        case String other -> Double.parseDouble(other);
      };
    } catch (NumberFormatException e) {
      throw input.corrupt("has the number '" + Description.cleaned(digits) + "'");
    }
  }

  private String text(int opcode) {
    String text =
        switch (opcode) {
          case 'S', 'V' -> unescaped(input.line());
          case 'U', 0x8c -> input.text(input.unsignedByte());
          case 'T', 'X' -> input.text(input.unsignedInt());
          default -> input.text(input.int64());
        };
    take(OBJECT + (long) text.length());
    return text;
  }

  private MemorySegment bytes(int opcode) {
    take(OBJECT);
    return switch (opcode) {
      case 'C' -> input.bytes(input.unsignedByte());
      case 'B' -> input.bytes(input.unsignedInt());
      default -> input.bytes(input.int64());
    };
  }

  /** A Python literal without its quotes. Names of tensors have no other escapes than these. */
  private static String unescaped(String literal) {
    boolean quoted =
        literal.length() >= 2
            && (literal.startsWith("'") || literal.startsWith("\""))
            && literal.charAt(0) == literal.charAt(literal.length() - 1);
    String text = quoted ? literal.substring(1, literal.length() - 1) : literal;
    return text.replace("\\'", "'").replace("\\\"", "\"").replace("\\\\", "\\");
  }
}

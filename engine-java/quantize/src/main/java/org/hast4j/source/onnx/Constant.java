package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.TensorProto;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.DType;

/**
 * A tensor that does not depend on the image. Its numbers stay where they are until they are asked
 * for.
 *
 * @param name as the file has it, for messages and for the names of layers
 * @param sizes none of a scalar
 */
record Constant(String name, DType type, List<Long> sizes, Values values) implements Operand {
  // What a graph computes with while it is read: sizes, axes, factors, one value a channel.
  private static final int MAX_COMPUTED = 1 << 16;
  // The order of values is computed for: far above any tensor of weights that is transposed.
  private static final int MAX_ORDERED = 1 << 22;
  // What stands nowhere in the file; beyond the weights of any layer in use.
  private static final int MAX_REPEATED = 1 << 27;

  Constant {
    sizes = List.copyOf(sizes);
  }

  /** Of an initialiser, or of the attribute of a node. */
  static Constant of(TensorProto tensor, ExternalData external) {
    String name = tensor.getName();
    DType type = type(tensor);
    int count = count(name, tensor.getDimsList(), Integer.MAX_VALUE - 8);
    if (tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
      return new Constant(
          name,
          type,
          tensor.getDimsList(),
          new Values.Raw(type, external.bytes(tensor, (long) count * type.bytes())));
    }
    if (tensor.hasRawData()) {
      long expected = (long) count * type.bytes();
      if (tensor.getRawData().size() != expected) {
        throw new RefusedException(
            "tensor %s of %s %s needs %d bytes, its raw data has %d"
                .formatted(
                    Names.quoted(name),
                    type,
                    tensor.getDimsList(),
                    expected,
                    tensor.getRawData().size()));
      }
      MemorySegment bytes = MemorySegment.ofBuffer(tensor.getRawData().asReadOnlyByteBuffer());
      return new Constant(name, type, tensor.getDimsList(), new Values.Raw(type, bytes));
    }
    List<? extends Number> listed =
        switch (type) {
          case F32 -> tensor.getFloatDataList();
          case F64 -> tensor.getDoubleDataList();
          case I64 -> tensor.getInt64DataList();
          case I32, I8, U8, F16, BF16 -> tensor.getInt32DataList();
        };
    if (listed.size() != count) {
      throw new RefusedException(
          "tensor %s of %s %s needs %d values, it has %d"
              .formatted(Names.quoted(name), type, tensor.getDimsList(), count, listed.size()));
    }
    return new Constant(name, type, tensor.getDimsList(), new Values.Listed(type, listed));
  }

  /** Whole numbers in a row. */
  static Constant of(long... values) {
    return new Constant(
        "", DType.I64, List.of((long) values.length), new Values.Wholes(values.clone()));
  }

  private static DType type(TensorProto tensor) {
    TensorProto.DataType type = TensorProto.DataType.forNumber(tensor.getDataType());
    return switch (type) {
      case FLOAT -> DType.F32;
      case FLOAT16 -> DType.F16;
      case BFLOAT16 -> DType.BF16;
      case DOUBLE -> DType.F64;
      case INT64 -> DType.I64;
      case INT32 -> DType.I32;
      case INT8 -> DType.I8;
      case UINT8, BOOL -> DType.U8;
      case null ->
          throw new RefusedException(
              "tensor %s has an unknown type, number %d"
                  .formatted(Names.quoted(tensor.getName()), tensor.getDataType()));
      case UINT16,
          INT16,
          STRING,
          UINT32,
          UINT64,
          COMPLEX64,
          COMPLEX128,
          FLOAT8E4M3FN,
          FLOAT8E4M3FNUZ,
          FLOAT8E5M2,
          FLOAT8E5M2FNUZ,
          UINT4,
          INT4,
          UNDEFINED ->
          throw new RefusedException(
              "tensor %s has type %s, which no classifier needs"
                  .formatted(Names.quoted(tensor.getName()), type));
    };
  }

  /** The number of values of some sizes. */
  static int count(String name, List<Long> sizes, int most) {
    long count = 1;
    for (long size : sizes) {
      if (size < 0 || size > most || count * size > most) {
        throw new RefusedException(
            "tensor %s has sizes %s, of which at most %d values can be"
                .formatted(Names.quoted(name), sizes.size() > 16 ? "[..]" : sizes, most));
      }
      count *= size;
    }
    return (int) count;
  }

  /** How many values there are. */
  int count() {
    return count(name, sizes, Integer.MAX_VALUE - 8);
  }

  /** One number everywhere. */
  Constant repeated(List<Long> others) {
    count(name, others, MAX_REPEATED);
    return new Constant(name, type, others, new Values.Repeated(values.real(0), values.whole(0)));
  }

  /** The same values, of as many in all. */
  Constant sized(List<Long> others) {
    return new Constant(name, type, others, values);
  }

  boolean isWhole() {
    return !type.isReal();
  }

  /** The whole numbers of a tensor that sizes, axes or the like stand in. */
  long[] wholes() {
    if (!isWhole()) {
      throw new RefusedException(
          "tensor %s has type %s where whole numbers are needed"
              .formatted(Names.quoted(name), type));
    }
    long[] all = new long[computed()];
    for (int i = 0; i < all.length; i++) {
      all[i] = values.whole(i);
    }
    return all;
  }

  /** The numbers of a tensor that is computed with. */
  float[] reals() {
    return values.reals(computed());
  }

  private int computed() {
    return count(name, sizes, MAX_COMPUTED);
  }

  /** A matrix with rows and columns exchanged, read where it is. */
  Constant transposed() {
    int rows = Math.toIntExact(sizes.get(0));
    int columns = Math.toIntExact(sizes.get(1));
    return new Constant(
        name, type, List.of((long) columns, (long) rows), values.transposed(rows, columns));
  }

  /** With its axes in another order. */
  Constant transposed(int[] order) {
    if (order.length == 2) {
      return order[0] == 0 ? this : transposed();
    }
    long[] before = strides();
    List<Long> after = new ArrayList<>();
    long[] strides = new long[order.length];
    for (int i = 0; i < order.length; i++) {
      after.add(sizes.get(order[i]));
      strides[i] = before[order[i]];
    }
    return ordered(after, strides, 0);
  }

  /** Values from one to the next along each axis. */
  long[] strides() {
    long[] strides = new long[sizes.size()];
    long stride = 1;
    for (int i = strides.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= sizes.get(i);
    }
    return strides;
  }

  /** The values in another order, or some of them. */
  Constant ordered(List<Long> others, long[] strides, long start) {
    if (values instanceof Values.Repeated) {
      return sized(others);
    }
    int[] from = new int[count(name, others, MAX_ORDERED)];
    long[] at = new long[strides.length];
    for (int i = 0; i < from.length; i++) {
      long position = start;
      for (int axis = 0; axis < at.length; axis++) {
        position += at[axis] * strides[axis];
      }
      from[i] = Math.toIntExact(position);
      for (int axis = at.length - 1; axis >= 0 && ++at[axis] == others.get(axis); axis--) {
        at[axis] = 0;
      }
    }
    return new Constant(name, type, others, values.ordered(from));
  }

  @Override
  public String toString() {
    return "%s%s".formatted(type, sizes);
  }
}

package org.hast4j.graph;

import java.util.List;

/**
 * An operation of the graph: one kernel family of the C ABI, whose header gives the formula. The
 * record components are its attributes; {@link #outputs} checks the inputs' shapes and gives the
 * outputs'.
 *
 * <p>Activations are NHWC, weights OHWI. An operation with a <i>base</i> adds to its last input:
 * output 0 is base plus the operation's own result.
 */
public sealed interface Op
    permits Op.Variable,
        Op.Reshape,
        Convolution,
        Norm,
        Quantization,
        Elementwise,
        Pooling,
        Loss,
        Random,
        Optimizer {
  /**
   * Types of the outputs for inputs of the given types.
   *
   * @throws IllegalArgumentException if the number of inputs or a shape is wrong
   */
  List<TensorType> outputs(List<TensorType> inputs);

  /**
   * Whether it changes memory behind its inputs, so that it must be kept although nothing reads it.
   */
  default boolean effect() {
    return false;
  }

  /** Whether the last input is a base to add to. */
  default boolean accumulates() {
    return false;
  }

  /** Whether an output may be written over an input that nothing else needs any more. */
  default boolean reuses(int output, int input) {
    return false;
  }

  /** Whether the kernel can leave an output out when nothing reads it. */
  default boolean optional(int output) {
    return false;
  }

  /** The output that must be there whenever this one is; itself if there is none. */
  default int partner(int output) {
    return output;
  }

  /** Memory that outlives a run: a tensor at a byte offset of a storage. */
  record Variable(Storage storage, long offset, TensorType type) implements Op {
    public Variable {
      if (offset < 0
          || offset % type.dtype().bytes() != 0
          || offset + type.bytes() > storage.bytes()) {
        throw new IllegalArgumentException(
            "%s at byte %d does not lie in storage %s".formatted(type, offset, storage));
      }
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("variable", inputs, 0);
      return List.of(type);
    }

    /** Whether another variable lies in some of the same bytes. */
    public boolean overlaps(Variable other) {
      return storage == other.storage
          && offset < other.offset + other.type.bytes()
          && other.offset < offset + type.bytes();
    }
  }

  /** Reads the same memory in another shape. */
  record Reshape(TensorType type) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("reshape", inputs, 1);
      Shapes.equal("reshape bytes", inputs.get(0).bytes(), type.bytes());
      return List.of(type);
    }
  }
}

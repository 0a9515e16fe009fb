package org.hast4j.io;

import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** One named tensor of an open file, whatever the file's format. Its values stay in the file. */
public interface StoredTensor {
  /** As the file has it. */
  String name();

  /** The type of the values in the file. */
  DType dtype();

  /** The shape; a scalar, which files store with no dimensions, is [1]. */
  Shape shape();

  /**
   * The values of an F32, F16, BF16 or F64 tensor, row-major, copied; F64 is rounded to the nearest
   * float.
   *
   * @throws CorruptFileException if the tensor holds integers
   */
  float[] floats();
}

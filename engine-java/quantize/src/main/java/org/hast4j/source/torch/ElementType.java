package org.hast4j.source.torch;

import java.util.Arrays;
import java.util.Optional;
import org.hast4j.tensor.DType;

/** PyTorch's element types, those that are not read too: their storages stand between others. */
enum ElementType {
  FLOAT("Float", "float32", 4, DType.F32),
  DOUBLE("Double", "float64", 8, DType.F64),
  HALF("Half", "float16", 2, DType.F16),
  BFLOAT16("BFloat16", "bfloat16", 2, DType.BF16),
  LONG("Long", "int64", 8, DType.I64),
  INT("Int", "int32", 4, DType.I32),
  SHORT("Short", "int16", 2, null),
  CHAR("Char", "int8", 1, DType.I8),
  BYTE("Byte", "uint8", 1, DType.U8),
  BOOL("Bool", "bool", 1, null),
  COMPLEX_FLOAT("ComplexFloat", "complex64", 8, null),
  COMPLEX_DOUBLE("ComplexDouble", "complex128", 16, null),
  UINT16("UInt16", "uint16", 2, null),
  UINT32("UInt32", "uint32", 4, null),
  UINT64("UInt64", "uint64", 8, null),
  FLOAT8_E5M2("Float8_e5m2", "float8_e5m2", 1, null),
  FLOAT8_E4M3("Float8_e4m3fn", "float8_e4m3fn", 1, null),
  QUANTIZED_CHAR("QInt8", "qint8", 1, null),
  QUANTIZED_BYTE("QUInt8", "quint8", 1, null),
  QUANTIZED_INT("QInt32", "qint32", 4, null);

  private final String storage;
  private final String torch;
  private final int bytes;
  // Null for types that are not read.
  private final DType dtype;

  ElementType(String storage, String torch, int bytes, DType dtype) {
    this.storage = storage;
    this.torch = torch;
    this.bytes = bytes;
    this.dtype = dtype;
  }

  /** As of {@code torch.FloatStorage}; storages without a type of their own count bytes. */
  static Optional<ElementType> ofStorage(Pickled.Global type) {
    if (type.name().equals("UntypedStorage") || type.name().equals("_UntypedStorage")) {
      return Optional.of(BYTE);
    }
    return Arrays.stream(values())
        .filter(t -> type.name().equals(t.storage + "Storage"))
        .filter(_ -> type.module().equals("torch") || type.module().startsWith("torch."))
        .findFirst();
  }

  /** As of {@code torch.float32}. */
  static Optional<ElementType> ofConstant(Pickled.Global constant) {
    return Arrays.stream(values())
        .filter(t -> constant.module().equals("torch") && constant.name().equals(t.torch))
        .findFirst();
  }

  /** Bytes of one element. */
  int bytes() {
    return bytes;
  }

  Optional<DType> dtype() {
    return Optional.ofNullable(dtype);
  }

  boolean isFloating() {
    return dtype != null && dtype.isReal();
  }

  /** PyTorch's name. */
  @Override
  public String toString() {
    return torch;
  }
}

package org.hast4j.vendor;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.Product;

/**
 * cuBLASLt's words for a product of matrices. It counts by columns, so that each matrix of rows is
 * its transpose: input [c, rows], output [k, rows], weights [c, k].
 *
 * <pre>
 * FORWARD          output  = weights^T input
 * DATA_GRADIENT    input   = weights output
 * WEIGHT_GRADIENT  weights = input output^T
 * </pre>
 */
final class CublasLtDescriptors implements AutoCloseable {
  private final Product product;
  private final LongPointer attribute;
  private final cublasLtMatmulDescOpaque_t operation;
  private final cublasLtMatrixLayoutOpaque_t first;
  private final cublasLtMatrixLayoutOpaque_t second;
  private final cublasLtMatrixLayoutOpaque_t result;
  private final List<Runnable> created = new ArrayList<>();

  /**
   * Describes a product.
   *
   * @param arena outlives this
   * @throws IllegalStateException if cuBLASLt refuses it
   */
  CublasLtDescriptors(Product product, Precision precision, Arena arena) {
    this.product = product;
    attribute = new LongPointer(new Address(arena.allocate(JAVA_LONG).address()));
    ConvolutionShape shape = product.shape();
    long rows = product.matrixRows();
    try {
      cublasLtMatrixLayoutOpaque_t input = matrix(shape.c(), rows);
      cublasLtMatrixLayoutOpaque_t output = matrix(shape.k(), rows);
      cublasLtMatrixLayoutOpaque_t weight = matrix(shape.c(), shape.k());
      first = product.direction().first(input, output);
      second = product.direction().second(input, weight);
      result = product.direction().result(input, weight, output);
      operation = operation(precision);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private cublasLtMatrixLayoutOpaque_t matrix(long rows, long columns) {
    cublasLtMatrixLayoutOpaque_t matrix =
        new cublasLtMatrixLayoutOpaque_t(
            create(
                "cublasLtMatrixLayoutCreate",
                slot ->
                    cublas.cublasLtMatrixLayoutCreate(
                        slot, cudart.CUDA_R_32F, rows, columns, rows)));
    created.add(() -> cublas.cublasLtMatrixLayoutDestroy(matrix));
    return matrix;
  }

  private static Address create(String function, ToIntFunction<PointerPointer<?>> call) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment slot = scratch.allocate(JAVA_LONG);
      VendorStatus.cublasLt(
          function, call.applyAsInt(new PointerPointer<>(new Address(slot.address()))));
      return new Address(slot.get(JAVA_LONG, 0));
    }
  }

  private cublasLtMatmulDescOpaque_t operation(Precision precision) {
    // A linear layer has its factors as they are whatever the precision, as on own kernels.
    int compute =
        product.linear() || precision == Precision.FP32
            ? cublas.CUBLAS_COMPUTE_32F
            : cublas.CUBLAS_COMPUTE_32F_FAST_TF32;
    cublasLtMatmulDescOpaque_t operation =
        new cublasLtMatmulDescOpaque_t(
            create(
                "cublasLtMatmulDescCreate",
                slot -> cublas.cublasLtMatmulDescCreate(slot, compute, cudart.CUDA_R_32F)));
    created.add(() -> cublas.cublasLtMatmulDescDestroy(operation));
    switch (product.direction()) {
      case FORWARD ->
          set(operation, cublas.CUBLASLT_MATMUL_DESC_TRANSA, cublas.CUBLAS_OP_T, Integer.BYTES);
      case DATA_GRADIENT -> {}
      case WEIGHT_GRADIENT ->
          set(operation, cublas.CUBLASLT_MATMUL_DESC_TRANSB, cublas.CUBLAS_OP_T, Integer.BYTES);
    }
    if (product.bias()) {
      set(
          operation,
          cublas.CUBLASLT_MATMUL_DESC_EPILOGUE,
          cublas.CUBLASLT_EPILOGUE_BIAS,
          Integer.BYTES);
    }
    return operation;
  }

  /** Says where what is added to the output lies, for the calls that follow. */
  void bias(long address) {
    set(operation, cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER, address, Long.BYTES);
  }

  private void set(cublasLtMatmulDescOpaque_t operation, int attribute, long value, int bytes) {
    VendorStatus.cublasLt(
        "cublasLtMatmulDescSetAttribute",
        cublas.cublasLtMatmulDescSetAttribute(operation, attribute, pointerTo(value), bytes));
  }

  /** Good until the next; of 8 bytes a little-endian machine reads the lower first. */
  private LongPointer pointerTo(long value) {
    return attribute.put(value);
  }

  /**
   * What algorithms are wanted, which lives as long as this: those that never split a sum.
   *
   * @param alignment that all operands have, in bytes
   */
  cublasLtMatmulPreferenceOpaque_t preference(long workspaceBytes, int alignment) {
    cublasLtMatmulPreferenceOpaque_t preference =
        new cublasLtMatmulPreferenceOpaque_t(
            create("cublasLtMatmulPreferenceCreate", cublas::cublasLtMatmulPreferenceCreate));
    created.add(() -> cublas.cublasLtMatmulPreferenceDestroy(preference));
    set(preference, cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspaceBytes, Long.BYTES);
    set(
        preference,
        cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        cublas.CUBLASLT_REDUCTION_SCHEME_NONE,
        Integer.BYTES);
    for (int attribute :
        new int[] {
          cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
          cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
          cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
        }) {
      set(preference, attribute, alignment, Integer.BYTES);
    }
    return preference;
  }

  private void set(
      cublasLtMatmulPreferenceOpaque_t preference, int attribute, long value, int bytes) {
    VendorStatus.cublasLt(
        "cublasLtMatmulPreferenceSetAttribute",
        cublas.cublasLtMatmulPreferenceSetAttribute(
            preference, attribute, pointerTo(value), bytes));
  }

  /** The product; where it has a bias, after {@link #bias}. */
  cublasLtMatmulDescOpaque_t operation() {
    return operation;
  }

  /** Of the first operand. */
  cublasLtMatrixLayoutOpaque_t first() {
    return first;
  }

  /** Of the second operand, which is the left factor. */
  cublasLtMatrixLayoutOpaque_t second() {
    return second;
  }

  cublasLtMatrixLayoutOpaque_t result() {
    return result;
  }

  /** Destroys what was created; nothing could be done about a failure. */
  @Override
  public void close() {
    created.reversed().forEach(Runnable::run);
    created.clear();
  }
}

package org.hast4j.vendor;

import java.util.function.IntFunction;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.BytePointer;

/** What the functions of NVIDIA's libraries answer: 0 for success. */
final class VendorStatus {
  private VendorStatus() {}

  /**
   * Fails unless a call of cuDNN succeeded.
   *
   * @throws VendorException naming the function and cuDNN's reason
   */
  static void cudnn(String function, int status) {
    // Those of a kind share their thousands.
    int kind = status / 1000 * 1000;
    boolean refusal =
        kind == cudnn.CUDNN_STATUS_BAD_PARAM || kind == cudnn.CUDNN_STATUS_NOT_SUPPORTED;
    check(VendorLibrary.CUDNN, function, status, refusal, cudnn::cudnnGetErrorString);
  }

  /**
   * Fails unless a call of cuBLASLt succeeded.
   *
   * @throws VendorException naming the function and cuBLASLt's reason
   */
  static void cublasLt(String function, int status) {
    boolean refusal =
        status == cublas.CUBLAS_STATUS_INVALID_VALUE
            || status == cublas.CUBLAS_STATUS_NOT_SUPPORTED;
    check(VendorLibrary.CUBLAS_LT, function, status, refusal, cublas::cublasLtGetStatusString);
  }

  private static void check(
      VendorLibrary library,
      String function,
      int status,
      boolean refusal,
      IntFunction<BytePointer> text) {
    if (status != 0) {
      throw new VendorException(
          "%s: %s (status %d); own kernels do without %s"
              .formatted(function, text.apply(status).getString(), status, library),
          refusal);
    }
  }
}

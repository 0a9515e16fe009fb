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
   * @throws IllegalStateException naming the function and cuDNN's reason
   */
  static void cudnn(String function, int status) {
    check(VendorLibrary.CUDNN, function, status, cudnn::cudnnGetErrorString);
  }

  /**
   * Fails unless a call of cuBLASLt succeeded.
   *
   * @throws IllegalStateException naming the function and cuBLASLt's reason
   */
  static void cublasLt(String function, int status) {
    check(VendorLibrary.CUBLAS_LT, function, status, cublas::cublasLtGetStatusString);
  }

  private static void check(
      VendorLibrary library, String function, int status, IntFunction<BytePointer> text) {
    if (status != 0) {
      throw new IllegalStateException(
          "%s: %s (status %d); --conv own does without %s"
              .formatted(function, text.apply(status).getString(), status, library));
    }
  }
}

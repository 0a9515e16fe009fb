package org.hast4j.vendor;

import org.bytedeco.cuda.global.cudnn;

/** What cuDNN's functions answer. */
final class CudnnStatus {
  private CudnnStatus() {}

  /**
   * Fails unless a call succeeded.
   *
   * @throws IllegalStateException naming the function and cuDNN's reason
   */
  static void check(String function, int status) {
    if (status != cudnn.CUDNN_STATUS_SUCCESS) {
      throw new IllegalStateException(
          "%s: %s (status %d); --conv own does without cuDNN"
              .formatted(function, cudnn.cudnnGetErrorString(status).getString(), status));
    }
  }
}

package org.hast4j.vendor;

import org.bytedeco.cuda.cudnn.cudnnConvolutionStruct;
import org.bytedeco.cuda.cudnn.cudnnFilterStruct;
import org.bytedeco.cuda.cudnn.cudnnTensorStruct;
import org.bytedeco.cuda.global.cudnn;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Precision;
import org.hast4j.tensor.Window;

/** cuDNN's words for a shape: float tensors, NHWC; filters KRSC; a cross-correlation. */
// Deprecated together with the convolutions they are for.
@SuppressWarnings("deprecation")
final class CudnnDescriptors {
  private final cudnnTensorStruct input = new cudnnTensorStruct();
  private final cudnnTensorStruct output = new cudnnTensorStruct();
  private final cudnnTensorStruct bias = new cudnnTensorStruct();
  private final cudnnFilterStruct weight = new cudnnFilterStruct();
  private final cudnnConvolutionStruct convolution = new cudnnConvolutionStruct();

  /**
   * Describes a shape whose padding is as much on both sides, which is all that cuDNN has words
   * for.
   *
   * @throws ArithmeticException if a size exceeds cuDNN's 32 bits
   * @throws IllegalStateException if cuDNN refuses the shape
   */
  CudnnDescriptors(ConvolutionShape shape, Precision precision) {
    Window window = shape.window();
    try {
      tensor(input, shape.n(), shape.c(), shape.h(), shape.w());
      tensor(output, shape.n(), shape.k(), shape.p(), shape.q());
      tensor(bias, 1, shape.k(), 1, 1);
      VendorStatus.cudnn("cudnnCreateFilterDescriptor", cudnn.cudnnCreateFilterDescriptor(weight));
      VendorStatus.cudnn(
          "cudnnSetFilter4dDescriptor",
          cudnn.cudnnSetFilter4dDescriptor(
              weight,
              cudnn.CUDNN_DATA_FLOAT,
              cudnn.CUDNN_TENSOR_NHWC,
              Math.toIntExact(shape.k()),
              Math.toIntExact(shape.c() / shape.groups()),
              Math.toIntExact(shape.r()),
              Math.toIntExact(shape.s())));
      VendorStatus.cudnn(
          "cudnnCreateConvolutionDescriptor", cudnn.cudnnCreateConvolutionDescriptor(convolution));
      VendorStatus.cudnn(
          "cudnnSetConvolution2dDescriptor",
          cudnn.cudnnSetConvolution2dDescriptor(
              convolution,
              window.top(),
              window.left(),
              window.strideH(),
              window.strideW(),
              window.dilationH(),
              window.dilationW(),
              cudnn.CUDNN_CROSS_CORRELATION,
              cudnn.CUDNN_DATA_FLOAT));
      if (shape.groups() > 1) {
        VendorStatus.cudnn(
            "cudnnSetConvolutionGroupCount",
            cudnn.cudnnSetConvolutionGroupCount(convolution, shape.groups()));
      }
      VendorStatus.cudnn(
          "cudnnSetConvolutionMathType",
          cudnn.cudnnSetConvolutionMathType(convolution, math(precision)));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private static void tensor(cudnnTensorStruct tensor, long n, long c, long h, long w) {
    VendorStatus.cudnn("cudnnCreateTensorDescriptor", cudnn.cudnnCreateTensorDescriptor(tensor));
    VendorStatus.cudnn(
        "cudnnSetTensor4dDescriptor",
        cudnn.cudnnSetTensor4dDescriptor(
            tensor,
            cudnn.CUDNN_TENSOR_NHWC,
            cudnn.CUDNN_DATA_FLOAT,
            Math.toIntExact(n),
            Math.toIntExact(c),
            Math.toIntExact(h),
            Math.toIntExact(w)));
  }

  /** From compute capability 8.0 on, cuDNN's default rounds float factors to TF32. */
  private static int math(Precision precision) {
    return switch (precision) {
      case FP32 -> cudnn.CUDNN_FMA_MATH;
      case TF32 -> cudnn.CUDNN_DEFAULT_MATH;
    };
  }

  cudnnTensorStruct input() {
    return input;
  }

  cudnnTensorStruct output() {
    return output;
  }

  /** A value for each channel of the output. */
  cudnnTensorStruct bias() {
    return bias;
  }

  cudnnFilterStruct weight() {
    return weight;
  }

  cudnnConvolutionStruct convolution() {
    return convolution;
  }

  /** Destroys what was created; nothing could be done about a failure. */
  void close() {
    if (!convolution.isNull()) {
      cudnn.cudnnDestroyConvolutionDescriptor(convolution);
    }
    if (!weight.isNull()) {
      cudnn.cudnnDestroyFilterDescriptor(weight);
    }
    for (cudnnTensorStruct tensor : new cudnnTensorStruct[] {bias, output, input}) {
      if (!tensor.isNull()) {
        cudnn.cudnnDestroyTensorDescriptor(tensor);
      }
    }
  }
}

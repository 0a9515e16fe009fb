package org.hast4j.vendor;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.Product;

/**
 * cuDNN's convolutions on the streams of a device. Only algorithms whose sums have a fixed order
 * are offered, and a stream has a handle of its own, so that streams may run side by side. {@link
 * VendorLibrary#probe} must have found cuDNN before.
 */
// cuDNN calls these functions deprecated, in favour of its graphs, and has them still in version 9.
@SuppressWarnings("deprecation")
public final class CudnnConvolutions implements AutoCloseable {
  private static final long WORKSPACE_LIMIT = 256L << 20;

  private final OpenDevice device;
  private final Streams streams;
  private final cudnnContext[] handles;
  private final Map<ConvolutionShape, CudnnDescriptors> descriptors = new HashMap<>();
  private final Arena arena = Arena.ofShared();
  private final Pointer zero = new Address(arena.allocateFrom(JAVA_FLOAT, 0).address());
  private final Pointer one = new Address(arena.allocateFrom(JAVA_FLOAT, 1).address());

  /**
   * Opens cuDNN.
   *
   * @param streams all that will launch convolutions
   * @throws VendorException if cuDNN refuses the device
   */
  public CudnnConvolutions(OpenDevice device, List<Long> streams) {
    this.device = device;
    this.streams = new Streams(device, streams);
    handles = streams.stream().map(_ -> new cudnnContext()).toArray(cudnnContext[]::new);
    try {
      for (int i = 0; i < handles.length; i++) {
        VendorStatus.cudnn("cudnnCreate", cudnn.cudnnCreate(handles[i]));
        VendorStatus.cudnn(
            "cudnnSetStream",
            cudnn.cudnnSetStream(handles[i], this.streams.nativeOf(streams.get(i))));
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * The algorithms that take a convolution, named {@code cudnn} and cuDNN's number of the
   * algorithm; none where there is more padding on one side than on the other.
   */
  public List<Algorithm> algorithms(Product product) {
    ConvolutionDirection direction = product.direction();
    if (!product.shape().window().isSymmetric()) {
      return List.of();
    }
    CudnnDescriptors described;
    try {
      described =
          descriptors.computeIfAbsent(
              product.shape(), s -> new CudnnDescriptors(s, device.options().precision()));
    } catch (ArithmeticException | VendorException e) {
      return List.of();
    }
    List<Algorithm> algorithms = new ArrayList<>();
    for (int algorithm : deterministic(direction)) {
      workspaceBytes(described, direction, algorithm)
          .ifPresent(bytes -> algorithms.add(new Method(described, direction, algorithm, bytes)));
    }
    return algorithms;
  }

  /** Empty where an algorithm does not take the shape, or takes too much memory for it. */
  private OptionalLong workspaceBytes(
      CudnnDescriptors described, ConvolutionDirection direction, int algorithm) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment result = scratch.allocate(JAVA_LONG);
      SizeTPointer bytes = new SizeTPointer(new Address(result.address()));
      int status =
          switch (direction) {
            case FORWARD ->
                cudnn.cudnnGetConvolutionForwardWorkspaceSize(
                    handles[0],
                    described.input(),
                    described.weight(),
                    described.convolution(),
                    described.output(),
                    algorithm,
                    bytes);
            case DATA_GRADIENT ->
                cudnn.cudnnGetConvolutionBackwardDataWorkspaceSize(
                    handles[0],
                    described.weight(),
                    described.output(),
                    described.convolution(),
                    described.input(),
                    algorithm,
                    bytes);
            case WEIGHT_GRADIENT ->
                cudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(
                    handles[0],
                    described.input(),
                    described.output(),
                    described.convolution(),
                    described.weight(),
                    algorithm,
                    bytes);
          };
      return status == cudnn.CUDNN_STATUS_SUCCESS && result.get(JAVA_LONG, 0) <= WORKSPACE_LIMIT
          ? OptionalLong.of(result.get(JAVA_LONG, 0))
          : OptionalLong.empty();
    }
  }

  /** Left out: what adds in no fixed order, and what cuDNN names but does not implement. */
  private static int[] deterministic(ConvolutionDirection direction) {
    return switch (direction) {
      case FORWARD ->
          new int[] {
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_FFT,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
            cudnn.CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED
          };
      case DATA_GRADIENT ->
          new int[] {
            cudnn.CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
            cudnn.CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
            cudnn.CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
            cudnn.CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
            cudnn.CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED
          };
      case WEIGHT_GRADIENT ->
          new int[] {
            cudnn.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
            cudnn.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
            cudnn.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING,
            cudnn.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED
          };
    };
  }

  private cudnnContext handle(long stream) {
    return handles[streams.index(stream)];
  }

  /** Destroys every handle; nothing could be done about a failure. */
  @Override
  public void close() {
    descriptors.values().forEach(CudnnDescriptors::close);
    descriptors.clear();
    for (cudnnContext handle : handles) {
      if (!handle.isNull()) {
        cudnn.cudnnDestroy(handle);
        handle.setNull();
      }
    }
    arena.close();
  }

  private final class Method implements Algorithm {
    private final CudnnDescriptors described;
    private final ConvolutionDirection direction;
    private final int algorithm;
    private final long workspaceBytes;

    Method(
        CudnnDescriptors described,
        ConvolutionDirection direction,
        int algorithm,
        long workspaceBytes) {
      this.described = described;
      this.direction = direction;
      this.algorithm = algorithm;
      this.workspaceBytes = workspaceBytes;
    }

    @Override
    public String name() {
      return "cudnn " + algorithm;
    }

    @Override
    public long workspaceBytes() {
      return workspaceBytes;
    }

    @Override
    public Launch bind(Operands operands) {
      Pointer result = Address.of(operands.result());
      Pointer first = Address.of(operands.first());
      Pointer second = Address.of(operands.second());
      Pointer bias = Address.of(operands.bias());
      Pointer workspace = Address.of(operands.workspace());
      long bytes = operands.workspaceBytes();
      return switch (direction) {
        case FORWARD ->
            stream -> {
              cudnnContext handle = handle(stream);
              VendorStatus.cudnn(
                  "cudnnConvolutionForward",
                  cudnn.cudnnConvolutionForward(
                      handle,
                      one,
                      described.input(),
                      first,
                      described.weight(),
                      second,
                      described.convolution(),
                      algorithm,
                      workspace,
                      bytes,
                      zero,
                      described.output(),
                      result));
              if (bias != null) {
                VendorStatus.cudnn(
                    "cudnnAddTensor",
                    cudnn.cudnnAddTensor(
                        handle, one, described.bias(), bias, one, described.output(), result));
              }
            };
        case DATA_GRADIENT -> {
          Pointer beta = operands.accumulate() ? one : zero;
          yield stream ->
              VendorStatus.cudnn(
                  "cudnnConvolutionBackwardData",
                  cudnn.cudnnConvolutionBackwardData(
                      handle(stream),
                      one,
                      described.weight(),
                      second,
                      described.output(),
                      first,
                      described.convolution(),
                      algorithm,
                      workspace,
                      bytes,
                      beta,
                      described.input(),
                      result));
        }
        case WEIGHT_GRADIENT ->
            stream ->
                VendorStatus.cudnn(
                    "cudnnConvolutionBackwardFilter",
                    cudnn.cudnnConvolutionBackwardFilter(
                        handle(stream),
                        one,
                        described.input(),
                        second,
                        described.output(),
                        first,
                        described.convolution(),
                        algorithm,
                        workspace,
                        bytes,
                        zero,
                        described.weight(),
                        result));
      };
    }
  }
}

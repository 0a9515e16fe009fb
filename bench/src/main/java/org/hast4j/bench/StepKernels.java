package org.hast4j.bench;

import org.hast4j.device.Device;
import org.hast4j.kernel.Kernels;

/** The memory-bound kernels of the loops on pixels and parameters, on a number of elements. */
public final class StepKernels {
  static final long SIDE = 32;
  static final long CHANNELS = 3;

  /** Elements of an image. */
  public static final long IMAGE = SIDE * SIDE * CHANNELS;

  private static final int BOX_INTS = 6;
  private static final float LEARNING_RATE = 1e-5f;

  /** A kernel and the bytes it must move per element. */
  public enum Kind {
    ADAM(28),
    SGD(20),
    /** Random crops of a pool, resized and flipped. */
    CROP_FLIP(8),
    SIGN_PERTURB(12);

    final long bytesPerElement;

    Kind(long bytesPerElement) {
      this.bytesPerElement = bytesPerElement;
    }
  }

  private final DeviceOperands operands;
  private final Device device;
  private final long elements;
  private final long poolImages;

  /**
   * @param elements each kernel works on; whole images for crops
   * @param poolImages that crops are taken from
   */
  public StepKernels(DeviceOperands operands, long elements, long poolImages) {
    this.operands = operands;
    device = operands.device();
    this.elements = elements;
    this.poolImages = poolImages;
  }

  /** A kernel with operands of its own, ready to run. */
  public MemoryKernel kernel(Kind kind) {
    return new MemoryKernel(kind.bytesPerElement * elements, launch(kind));
  }

  private Runnable launch(Kind kind) {
    Kernels kernels = device.kernels();
    long stream = device.stream();
    long p = operands.normal(elements);
    return switch (kind) {
      case ADAM -> {
        long m = operands.constant(elements, 0);
        long v = operands.constant(elements, 0);
        long g = operands.normal(elements);
        long learningRate = operands.filled(new float[] {LEARNING_RATE});
        long step = operands.filled(new long[] {1});
        yield () ->
            kernels.adamStep(p, m, v, g, learningRate, step, elements, .9f, .999f, 1e-8f, stream);
      }
      case SGD -> {
        long momentum = operands.constant(elements, 0);
        long g = operands.normal(elements);
        long learningRate = operands.filled(new float[] {LEARNING_RATE});
        yield () ->
            kernels.sgdStep(p, momentum, g, learningRate, 0, elements, .9f, 1e-4f, 1, stream);
      }
      case CROP_FLIP -> {
        long n = elements / IMAGE;
        long pool = operands.normal(poolImages * IMAGE);
        long boxes = boxes(n);
        yield () ->
            kernels.cropFlipFwd(
                p, pool, boxes, n, poolImages, SIDE, SIDE, CHANNELS, SIDE, SIDE, stream);
      }
      case SIGN_PERTURB -> {
        long y = operands.constant(elements, 0);
        long g = operands.normal(elements);
        yield () -> kernels.signPerturbFwd(y, p, g, elements, .01f, stream);
      }
    };
  }

  private long boxes(long n) {
    long boxes = operands.cleared(n * BOX_INTS * Integer.BYTES);
    device
        .kernels()
        .cropBoxesFwd(
            boxes,
            operands.filled(new long[] {1, 0}),
            0,
            n,
            poolImages,
            0,
            SIDE,
            SIDE,
            .5f,
            1,
            .75f,
            4f / 3,
            0,
            device.stream());
    return boxes;
  }
}

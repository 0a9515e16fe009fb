package org.hast4j.bench;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.AdamStep;
import org.hast4j.kernel.abi.CropBoxesFwdI32;
import org.hast4j.kernel.abi.CropFlipFwd;
import org.hast4j.kernel.abi.SgdStep;
import org.hast4j.kernel.abi.SignPerturbFwd;

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
  private final OpenDevice device;
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
    return MemoryKernel.of(kind.bytesPerElement * elements, launch(kind), device);
  }

  private Launch launch(Kind kind) {
    long p = operands.normal(elements);
    return switch (kind) {
      case ADAM -> {
        long m = operands.constant(elements, 0);
        long v = operands.constant(elements, 0);
        long g = operands.normal(elements);
        long learningRate = operands.filled(new float[] {LEARNING_RATE});
        long step = operands.filled(new long[] {1});
        yield new AdamStep(device.library())
            .p(p)
            .m(m)
            .v(v)
            .g(g)
            .lr(learningRate)
            .step(step)
            .n(elements)
            .beta1(.9f)
            .beta2(.999f)
            .epsilon(1e-8f);
      }
      case SGD -> {
        long momentum = operands.constant(elements, 0);
        long g = operands.normal(elements);
        long learningRate = operands.filled(new float[] {LEARNING_RATE});
        yield new SgdStep(device.library())
            .p(p)
            .buffer(momentum)
            .g(g)
            .lr(learningRate)
            .n(elements)
            .momentum(.9f)
            .decay(1e-4f)
            .nesterov(1);
      }
      case CROP_FLIP -> {
        long n = elements / IMAGE;
        long pool = operands.normal(poolImages * IMAGE);
        long boxes = boxes(n);
        yield new CropFlipFwd(device.library())
            .y(p)
            .images(pool)
            .boxes(boxes)
            .n(n)
            .imagesCount(poolImages)
            .height(SIDE)
            .width(SIDE)
            .channels(CHANNELS)
            .outHeight(SIDE)
            .outWidth(SIDE);
      }
      case SIGN_PERTURB -> {
        long y = operands.constant(elements, 0);
        long g = operands.normal(elements);
        yield new SignPerturbFwd(device.library()).y(y).x(p).g(g).n(elements).epsilon(.01f);
      }
    };
  }

  private long boxes(long n) {
    long boxes = operands.cleared(n * BOX_INTS * Integer.BYTES);
    new CropBoxesFwdI32(device.library())
        .boxes(boxes)
        .key(operands.filled(new long[] {1, 0}))
        .n(n)
        .images(poolImages)
        .orderCount(0)
        .height(SIDE)
        .width(SIDE)
        .scaleMin(.5f)
        .scaleMax(1)
        .ratioMin(.75f)
        .ratioMax(4f / 3)
        .draw(0)
        .launch(device.stream());
    return boxes;
  }
}

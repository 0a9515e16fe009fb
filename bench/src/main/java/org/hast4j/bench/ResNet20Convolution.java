package org.hast4j.bench;

import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;

/**
 * The convolutions of ResNet-20 with shortcut B on 32 by 32 images. A name reads kernel, stride,
 * channels in and out, height and width of the input.
 */
public enum ResNet20Convolution {
  K3S1_3_16_32(3, 1, 3, 16, 32, 1),
  K3S1_16_16_32(3, 1, 16, 16, 32, 6),
  K3S2_16_32_32(3, 2, 16, 32, 32, 1),
  K1S2_16_32_32(1, 2, 16, 32, 32, 1),
  K3S1_32_32_16(3, 1, 32, 32, 16, 5),
  K3S2_32_64_16(3, 2, 32, 64, 16, 1),
  K1S2_32_64_16(1, 2, 32, 64, 16, 1),
  K3S1_64_64_8(3, 1, 64, 64, 8, 5);

  /** Images of a batch of fine-tuning. */
  public static final int BATCH = 64;

  final int kernel;
  final int stride;
  final int pad;
  final int inputs;
  final int outputs;
  final int size;
  final int outputSize;

  /** How often the network has it. */
  public final int uses;

  ResNet20Convolution(int kernel, int stride, int inputs, int outputs, int size, int uses) {
    this.kernel = kernel;
    this.stride = stride;
    pad = kernel / 2;
    this.inputs = inputs;
    this.outputs = outputs;
    this.size = size;
    outputSize = (size + 2 * pad - kernel) / stride + 1;
    this.uses = uses;
  }

  /** Elements of x. */
  int inputElements(int batch) {
    return batch * size * size * inputs;
  }

  /** Elements of y. */
  int outputElements(int batch) {
    return batch * outputSize * outputSize * outputs;
  }

  int weightElements() {
    return outputs * kernel * kernel * inputs;
  }

  /** Elements of what a direction computes: y, dx or dweight. */
  int resultElements(ConvolutionDirection direction, int batch) {
    return direction.result(inputElements(batch), weightElements(), outputElements(batch));
  }

  /** The sizes the kernels take. */
  ConvolutionShape sizes(int batch) {
    return new ConvolutionShape(batch, size, size, inputs, outputs, kernel, kernel, stride, pad);
  }

  /** Multiplications and additions of the textbook algorithm, the same for every direction. */
  public long flops(int batch) {
    return 2L * outputElements(batch) * kernel * kernel * inputs;
  }
}

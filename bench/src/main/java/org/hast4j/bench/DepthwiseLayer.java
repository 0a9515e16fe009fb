package org.hast4j.bench;

/**
 * Depthwise convolutions of MobileNetV2 on ImageNet, 3 x 3 with padding 1. A name reads height and
 * width, channels, stride.
 */
public enum DepthwiseLayer {
  S112_32(112, 32, 1),
  S112_96_2(112, 96, 2),
  S56_144(56, 144, 1),
  S56_144_2(56, 144, 2),
  S28_192(28, 192, 1),
  S14_384(14, 384, 1),
  S14_576_2(14, 576, 2),
  S7_960(7, 960, 1);

  final long side;
  final long channels;
  final int stride;

  DepthwiseLayer(long side, long channels, int stride) {
    this.side = side;
    this.channels = channels;
    this.stride = stride;
  }

  /** Height and width of the output. */
  long outputSide() {
    return (side - 1) / stride + 1;
  }
}

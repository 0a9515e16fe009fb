package org.hast4j.bench;

/**
 * What memory-bound kernels see of ResNet-20: the activations of its three stages, in synthesis
 * (batch 256) and in fine-tuning (batch 64). A name reads batch, height and width, channels.
 */
public enum FeatureMap {
  N256_32_16(256, 32, 16),
  N256_16_32(256, 16, 32),
  N256_8_64(256, 8, 64),
  N64_32_16(64, 32, 16),
  N64_16_32(64, 16, 32),
  N64_8_64(64, 8, 64);

  final Activations size;

  FeatureMap(long n, long side, long c) {
    size = new Activations(n, side * side, c);
  }
}

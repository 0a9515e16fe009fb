// What the three directions of the depthwise convolution share.
#ifndef HAST_DEPTHWISE_CUH
#define HAST_DEPTHWISE_CUH

#include "conv.cuh"

namespace hast {

// Kernels count pixels and taps in 32 bits, and a few strides beyond.
constexpr int64_t kMostPixels = 1 << 28;

// Whether the filter is 3 x 3 with this stride, not dilated.
inline bool three(const Conv& g, int64_t stride) {
  return g.r == 3 && g.s == 3 && g.stride_h == stride && g.stride_w == stride && g.dilation_h == 1 && g.dilation_w == 1;
}

// Scratch of the weight gradient; defined beside its kernel.
int64_t depthwise_bwd_weight_bytes(const Conv& g);

}  // namespace hast

#endif

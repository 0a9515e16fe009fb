// The sizes that the convolutions share: conv2d.cuh's, and the depthwise one's with k = c.
#ifndef HAST_CONV_CUH
#define HAST_CONV_CUH

#include <hast/conv.h>

#include "kernel.cuh"
#include "portable/arguments/conv.h"
#include "portable/convolution.h"

namespace hast {

// The arguments of conv.h.
struct Conv : Convolution {
  explicit Conv(const Convolution& convolution) : Convolution(convolution) {
    if (!valid()) return;
    // A larger one takes the same single window.
    const int64_t most = larger(padded_h(), padded_w());
    stride_h = smaller(stride_h, most);
    stride_w = smaller(stride_w, most);
  }

  int64_t padded_h() const { return h + top + bottom; }
  int64_t padded_w() const { return w + left + right; }
  // Whether no number of pixels or of a channel's products is above `most`: kernels count these in 32 bits.
  bool countable(int64_t most) const {
    const auto fits = [=](int64_t a, int64_t b, int64_t c) { return b <= most / a && c <= most / (a * b); };
    return fits(n, padded_h(), padded_w()) && fits(n, p, q) && fits(r, s, larger(c, k));
  }
  int64_t pixels_in() const { return n * h * w; }
  int64_t pixels_out() const { return n * p * q; }
};

}  // namespace hast

#endif

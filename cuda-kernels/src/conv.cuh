// The sizes that the convolutions share: conv2d.cuh's, and the depthwise one's with k = c.
#ifndef HAST_CONV_CUH
#define HAST_CONV_CUH

#include <hast/conv.h>

#include "kernel.cuh"

namespace hast {

// The arguments of conv.h.
struct Conv {
  int64_t n, h, w, c, k, r, s, stride, pad;
  int64_t p = 0, q = 0;

  Conv(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int64_t stride, int64_t pad)
      : n(n), h(h), w(w), c(c), k(k), r(r), s(s), stride(stride), pad(pad) {
    if (any_below_one(n, h, w, c, k, r, s, stride) || pad < 0 || h + 2 * pad < r || w + 2 * pad < s) return;
    p = (h + 2 * pad - r) / stride + 1;
    q = (w + 2 * pad - s) / stride + 1;
    this->stride = smaller(stride, larger(h, w) + 2 * pad);  // a larger one takes the same single window
  }

  bool valid() const { return p >= 1 && q >= 1; }
  // Whether no number of pixels or of a channel's products is above `most`: kernels count these in 32 bits.
  bool countable(int64_t most) const {
    const auto fits = [=](int64_t a, int64_t b, int64_t c) { return b <= most / a && c <= most / (a * b); };
    return fits(n, h + 2 * pad, w + 2 * pad) && fits(n, p, q) && fits(r, s, larger(c, k));
  }
  int64_t pixels_in() const { return n * h * w; }
  int64_t pixels_out() const { return n * p * q; }
  int64_t weights() const { return k * r * s * c; }
};

}  // namespace hast

#endif

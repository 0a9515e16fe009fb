// The sizes that the three directions of the depthwise convolution share.
#ifndef HAST_DEPTHWISE_CUH
#define HAST_DEPTHWISE_CUH

#include <hast/conv.h>

#include "kernel.cuh"

namespace hast {

// The arguments of conv.h's depthwise functions.
struct Depthwise {
  int64_t n, h, w, c, r, s, stride, pad;
  int64_t p = 0, q = 0;
  // Kernels count pixels and taps in 32 bits, and a few strides beyond.
  static constexpr int64_t kMost = 1 << 28;

  Depthwise(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, int64_t stride, int64_t pad)
      : n(n), h(h), w(w), c(c), r(r), s(s), stride(stride), pad(pad) {
    if (any_below_one(n, h, w, c, r, s, stride) || pad < 0 || h + 2 * pad < r || w + 2 * pad < s) return;
    p = (h + 2 * pad - r) / stride + 1;
    q = (w + 2 * pad - s) / stride + 1;
    this->stride = smaller(stride, larger(h, w) + 2 * pad);  // a larger one takes the same single window
  }

  bool valid() const { return p >= 1 && q >= 1; }
  bool countable() const { return fits(n, h + 2 * pad, w + 2 * pad) && fits(n, p, q) && fits(r, s, c); }
  bool three(int64_t by) const { return r == 3 && s == 3 && stride == by; }

 private:
  static bool fits(int64_t a, int64_t b, int64_t c) { return b <= kMost / a && c <= kMost / (a * b); }
};

// Scratch of the weight gradient; defined beside its kernel.
int64_t depthwise_bwd_weight_bytes(const Depthwise& g);

}  // namespace hast

#endif

// Windows that slide over [n, h, w, c] and give [n, p, q, c]: the geometry of pooling.
#ifndef HAST_POOLING_H
#define HAST_POOLING_H

#include <cstdint>

#include "convolution.h"
#include "numbers.h"
#include "portable.h"

namespace hast {

// Along one axis: `windows` of them over `size` rows or columns, of which `before` are added in front.
struct PoolingAxis {
  int64_t size, window, stride, before, windows;

  // The first and one past the last window that holds i.
  HAST_PORTABLE HAST_INLINE int64_t first_holding(int64_t i) const {
    const int64_t place = i + before;
    return place < window ? 0 : (place - window) / stride + 1;
  }
  HAST_PORTABLE HAST_INLINE int64_t end_holding(int64_t i) const { return smaller(windows, (i + before) / stride + 1); }

  // Where window number i begins: in the padding, if below 0.
  HAST_PORTABLE HAST_INLINE int64_t start(int64_t i) const { return i * stride - before; }
  // The first and one past the last that it holds, without the padding.
  HAST_PORTABLE HAST_INLINE int64_t first_held(int64_t i) const { return larger(0, start(i)); }
  HAST_PORTABLE HAST_INLINE int64_t end_held(int64_t i) const { return smaller(size, start(i) + window); }
  HAST_PORTABLE HAST_INLINE int64_t held(int64_t i) const { return end_held(i) - first_held(i); }
};

// A depthwise convolution's sizes: p and q are 0 unless they are valid.
struct Pooling : Convolution {
  Pooling(int64_t n_, int64_t h_, int64_t w_, int64_t c_, int64_t r_, int64_t s_, const int32_t* window)
      : Convolution(depthwise_convolution(n_, h_, w_, c_, r_, s_, window)) {}

  // With less padding than window at every side, every window holds a pixel.
  bool valid() const {
    return Convolution::valid() && dilation_h == 1 && dilation_w == 1 && larger(top, bottom) < r &&
           larger(left, right) < s;
  }

  HAST_PORTABLE HAST_INLINE PoolingAxis rows() const { return {h, r, stride_h, top, p}; }
  HAST_PORTABLE HAST_INLINE PoolingAxis columns() const { return {w, s, stride_w, left, q}; }

  // What the sum over window (u, v) is divided by: its cells, or those that are no padding.
  HAST_PORTABLE HAST_INLINE float cells(int64_t u, int64_t v, bool with_padding) const {
    return static_cast<float>(with_padding ? r * s : rows().held(u) * columns().held(v));
  }
};

}  // namespace hast

#endif

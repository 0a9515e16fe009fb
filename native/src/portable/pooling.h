// Square windows that slide over [n, h, w, c] and give [n, p, q, c]: the geometry of pooling.
#ifndef HAST_POOLING_H
#define HAST_POOLING_H

#include <cstdint>

#include "portable.h"

namespace hast {

struct Pooling {
  int64_t n, h, w, c;
  int32_t window, stride, pad;

  HAST_PORTABLE HAST_INLINE int64_t p() const { return (h + 2 * pad - window) / stride + 1; }
  HAST_PORTABLE HAST_INLINE int64_t q() const { return (w + 2 * pad - window) / stride + 1; }

  // With pad < window every window holds a pixel.
  bool valid() const {
    return n >= 1 && h >= 1 && w >= 1 && c >= 1 && window >= 1 && stride >= 1 && pad >= 0 && pad < window &&
           h + 2 * pad >= window && w + 2 * pad >= window;
  }

  // The first and one past the last of `windows` that hold row or column i.
  HAST_PORTABLE HAST_INLINE int64_t first_holding(int64_t i) const {
    const int64_t place = i + pad;
    return place < window ? 0 : (place - window) / stride + 1;
  }
  HAST_PORTABLE HAST_INLINE int64_t end_holding(int64_t i, int64_t windows) const {
    const int64_t end = (i + pad) / stride + 1;
    return end < windows ? end : windows;
  }

  // The first and one past the last of `size` rows or columns that window number i holds.
  HAST_PORTABLE HAST_INLINE int64_t first_held(int64_t i) const {
    const int64_t first = i * stride - pad;
    return first > 0 ? first : 0;
  }
  HAST_PORTABLE HAST_INLINE int64_t end_held(int64_t i, int64_t size) const {
    const int64_t end = i * stride - pad + window;
    return end < size ? end : size;
  }

  // What the sum over window (u, v) is divided by: its cells, or those that are no padding.
  HAST_PORTABLE HAST_INLINE float cells(int64_t u, int64_t v, bool with_padding) const {
    const int64_t rows = with_padding ? window : end_held(u, h) - first_held(u);
    const int64_t columns = with_padding ? window : end_held(v, w) - first_held(v);
    return static_cast<float>(rows * columns);
  }
};

}  // namespace hast

#endif

// The sizes of a convolution, the checks of its arguments, and which taps of a filter meet what: one text for the CPU
// and the CUDA library.
#ifndef HAST_CONVOLUTION_H
#define HAST_CONVOLUTION_H

#include <cstdint>

#include "portable.h"

namespace hast {

// The arguments of conv.h. A depthwise convolution has as many groups as channels.
struct Convolution {
  int64_t n, h, w, c, k, r, s, groups;
  int64_t stride_h = 1, stride_w = 1, top = 0, left = 0, bottom = 0, right = 0, dilation_h = 1, dilation_w = 1;
  int64_t p = 0, q = 0;  // 0 unless the arguments are valid

  Convolution(int64_t n_, int64_t h_, int64_t w_, int64_t c_, int64_t k_, int64_t r_, int64_t s_, int64_t groups_,
              const int32_t* window)
      : n(n_), h(h_), w(w_), c(c_), k(k_), r(r_), s(s_), groups(groups_) {
    if (window == nullptr || n < 1 || h < 1 || w < 1 || c < 1 || k < 1 || r < 1 || s < 1 || groups < 1) return;
    if (c % groups != 0 || k % groups != 0) return;
    stride_h = window[0];
    stride_w = window[1];
    top = window[2];
    left = window[3];
    bottom = window[4];
    right = window[5];
    dilation_h = window[6];
    dilation_w = window[7];
    if (stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1) return;
    if (top < 0 || left < 0 || bottom < 0 || right < 0) return;
    if (h > kMostElements || w > kMostElements) return;
    const int64_t rows = outputs(h + top + bottom, r, stride_h, dilation_h);
    const int64_t columns = outputs(w + left + right, s, stride_w, dilation_w);
    if (rows < 1 || columns < 1) return;
    if (!fits(n, h + top + bottom, w + left + right, c) || !fits(n, rows, columns, k)) return;
    if (!fits(k, r, s, c / groups)) return;
    p = rows;
    q = columns;
  }

  bool valid() const { return p >= 1; }
  HAST_PORTABLE int64_t group_c() const { return c / groups; }
  HAST_PORTABLE int64_t group_k() const { return k / groups; }
  int64_t weights() const { return k * r * s * group_c(); }

  // Whether this is all there is to the window: a square stride, as much padding on every side, no dilation.
  bool plain(int64_t stride, int64_t pad) const {
    return stride_h == stride && stride_w == stride && dilation_h == 1 && dilation_w == 1 && top == pad &&
           left == pad && bottom == pad && right == pad;
  }

 private:
  // Elements of a tensor, padding included: far more than any memory holds, and few enough to count bytes of several.
  static constexpr int64_t kMostElements = int64_t{1} << 50;

  static bool fits(int64_t a, int64_t b, int64_t c, int64_t d) {
    return b <= kMostElements / a && c <= kMostElements / (a * b) && d <= kMostElements / (a * b * c);
  }

  // Along one axis of the padded image; 0 where the dilated filter does not fit it.
  static int64_t outputs(int64_t padded, int64_t taps, int64_t stride, int64_t dilation) {
    if (taps - 1 > (padded - 1) / dilation) return 0;
    return (padded - 1 - (taps - 1) * dilation) / stride + 1;
  }
};

// The arguments of conv.h's depthwise functions: a filter for each channel.
inline Convolution depthwise_convolution(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                         const int32_t* window) {
  return Convolution(n, h, w, c, c, r, s, c, window);
}

// Along one axis, the taps that an element of a result meets and what of the source they meet: tap first + t step
// meets element at + t move of the source, for t < count. What of it lies outside the source counts as 0.
template <class Int>
struct Taps {
  Int first, step, at, move, count;

  // Of output i of the forward map.
  static HAST_PORTABLE Taps forward(Int i, Int stride, Int before, Int dilation, Int taps) {
    return {0, 1, i * stride - before, dilation, taps};
  }

  // Of input i as the adjoint map meets it: those taps u for which (i + before - u dilation) / stride is whole. Where
  // there is none, first is not below `taps`.
  static HAST_PORTABLE Taps adjoint(Int i, Int stride, Int before, Int dilation, Int taps) {
    const Int line = i + before;
    if (dilation == 1) return from(line % stride, stride, line / stride, -1, taps);
    Int common = stride;  // with the dilation
    for (Int rest = dilation % common; rest != 0;) {
      const Int next = common % rest;
      common = rest;
      rest = next;
    }
    const Int step = stride / common;
    const Int last = step < taps ? step : taps;
    Int first = 0;
    while (first < last && (line - first * dilation) % stride != 0) first++;
    return from(first < last ? first : taps, step, (line - first * dilation) / stride, -dilation / common, taps);
  }

 private:
  static HAST_PORTABLE Taps from(Int first, Int step, Int at, Int move, Int taps) {
    return {first, step, at, move, first < taps ? (taps - first - 1) / step + 1 : 0};
  }
};

}  // namespace hast

#endif

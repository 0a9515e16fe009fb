// Channels that are left out or put in: a range of them, and ResNet's shortcut.
#ifndef HAST_CHANNELS_H
#define HAST_CHANNELS_H

#include <cstdint>

#include "numbers.h"

namespace hast {

// Channels [begin, begin + k) of [rows, c].
struct ChannelRange {
  int64_t rows, c, k, begin;

  bool valid() const { return rows >= 1 && c >= 1 && k >= 1 && begin >= 0 && k <= c - begin; }
};

// Every stride-th pixel of [n, h, w, c], its channels from `front` on of k: [n, p, q, k].
struct Shortcut {
  int64_t n, h, w, c, k, front;
  int32_t stride;

  Shortcut(int64_t n_, int64_t h_, int64_t w_, int64_t c_, int64_t k_, int32_t stride_)
      : n(n_), h(h_), w(w_), c(c_), k(k_), front(0), stride(stride_) {
    if (valid()) front = (k - c) / 2;
  }

  // The same where channels go in packs of `width`, which divides c, k and front.
  Shortcut packed(int64_t width) const {
    Shortcut a = *this;
    a.c /= width;
    a.k /= width;
    a.front /= width;
    return a;
  }

  HAST_PORTABLE int64_t p() const { return ceil_div(h, stride); }
  HAST_PORTABLE int64_t q() const { return ceil_div(w, stride); }

  bool valid() const { return n >= 1 && h >= 1 && w >= 1 && c >= 1 && k >= c && stride >= 1; }
};

}  // namespace hast

#endif

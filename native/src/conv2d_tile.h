// What the ways through a convolution by sweeps (conv2d_sweep.h) share: the sweep, and how a tile is written.
#ifndef HAST_CONV2D_TILE_H
#define HAST_CONV2D_TILE_H

#include <algorithm>

#include "conv2d_common.h"

namespace hast::conv {

enum class Direction { kForward, kTransposed };

struct Sweep {
  const float* in;
  float* out;
  const float* packed;  // [groups][blocks of lanes][r][group_in][s][lanes]; narrow: [r][in_c][16 of v * out_c + o]
  const float* bias;    // of each group padded to whole blocks; NULL: zero
  const float* zeros;   // in_c of them
  int64_t n, in_h, in_w, in_c, out_h, out_w, out_c;
  int64_t groups, group_in, group_out;  // channels of a group
  int64_t r, s, stride_h, stride_w, top, left, dilation_h, dilation_w;
  bool accumulate;
};

// Output rows [row_begin, row_end) of one image.
using BandFunction = void (*)(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end);

// Writes the sums of kPixels pixels, `lanes` channels each. What does not fill whole vectors or adds to the output goes
// through the stack: unrolled, its branches would be most of the code.
template <int kWidth, int kPixels, int kBlocks, class Address>
HAST_INLINE void store_tile(const Vector<kWidth> (&sum)[kBlocks][kPixels], int64_t pixels, int64_t lanes,
                            bool accumulate, const Address& address) {
  using V = Vector<kWidth>;
  if (pixels == kPixels && lanes >= kBlocks * kWidth && !accumulate) {
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; p++) {
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; b++) *reinterpret_cast<V*>(address(p) + b * kWidth) = sum[b][p];
    }
    return;
  }
  alignas(64) float buffer[kPixels][kBlocks * kWidth];
#pragma GCC unroll 32
  for (int p = 0; p < kPixels; p++) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; b++) *reinterpret_cast<V*>(buffer[p] + b * kWidth) = sum[b][p];
  }
  for (int64_t p = 0; p < pixels; p++) {
    float* out = address(p);
    int64_t l = 0;
    for (; l + kWidth <= std::min<int64_t>(lanes, kBlocks * kWidth); l += kWidth) {
      V* target = reinterpret_cast<V*>(out + l);
      *target = accumulate ? *target + HAST_VECTOR(kWidth, buffer[p] + l) : HAST_VECTOR(kWidth, buffer[p] + l);
    }
    for (; l < std::min<int64_t>(lanes, kBlocks * kWidth); l++)
      out[l] = accumulate ? out[l] + buffer[p][l] : buffer[p][l];
  }
}

}  // namespace hast::conv

#endif

// The weight gradient by columns and for the stem, and what its ways share: conv2d_bwd_weight.cpp has what they are.
#ifndef HAST_CONV2D_BWD_WEIGHT_H
#define HAST_CONV2D_BWD_WEIGHT_H

#include <algorithm>

#include "conv2d_common.h"

namespace hast::conv {

// How the weight gradient of a shape is computed.
enum class Method {
  kWinograd,  // 3x3 pad 1 stride 1, even images, whole blocks of c and k
  kColumns,   // one group, vectors over whole blocks of c, 3x3 or 1x1, as many outputs as strides fit the image
  kStem,      // vectors over whole blocks of k, three input channels, 3x3 pad 1 stride 1
  kSpread,    // groups of few channels, vectors over outputs of several groups
  kPadded     // anything, from input rows copied with padding
};

struct WeightPlan {
  Method method;
  int64_t parts;           // of images; each has its own partial sums
  int64_t partial_floats;  // of one part
  int64_t padded_c;        // channels of a group, to whole blocks
  int64_t pixel_floats;    // of a padded input row; kPadded only
  int64_t row_floats;      // of one padded input row; kPadded only
  int64_t zeros;           // floats of zeros wanted; kWinograd only
};

constexpr int64_t kMaxStemWidth = 256;

// Adds one pixel: sum[v][o] += x[v - Left] * dy[o] for the taps v in [kFirst, kLast].
template <int kWidth, int kTaps, int kPadding, int kOutputs, int kFirst, int kLast>
HAST_INLINE void add_pixel(Vector<kWidth> (&sum)[kTaps][kOutputs], const float* x, int64_t x_step, const float* dy) {
  Vector<kWidth> column[kTaps];
#pragma GCC unroll 8
  for (int v = kFirst; v <= kLast; v++) column[v] = HAST_VECTOR(kWidth, x + (v - kPadding) * x_step);
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
    const float value = dy[o];
#pragma GCC unroll 8
    for (int v = kFirst; v <= kLast; v++) sum[v][o] += column[v] * value;
  }
}

// partial[o][v][lane] += sums over the pixels of images [first, last) for kernel row u, kOutputs output channels from
// o_first and the block of input channels at c_first.
template <int kWidth, int kTaps, int kStep, int kPadding, int kOutputs>
HAST_INLINE void columns_tile(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                              int64_t last, int64_t u, int64_t o_first, int64_t c_first) {
  Vector<kWidth> sum[kTaps][kOutputs];
#pragma GCC unroll 8
  for (int v = 0; v < kTaps; v++) {
#pragma GCC unroll 16
    for (int o = 0; o < kOutputs; o++) sum[v][o] = Vector<kWidth>{};
  }
  const int64_t c = g.c;
  const int64_t k = g.k;
  for (int64_t image = first; image < last; image++) {
    for (int64_t i = 0; i < g.p; i++) {
      const int64_t row = i * g.stride_h + u * g.dilation_h - g.top;
      if (row < 0 || row >= g.h) continue;
      const float* from = x + (image * g.h + row) * g.w * c + c_first;
      const float* gradient = dy + (image * g.p + i) * g.q * k + o_first;
      // Taps that the first and the last pixel do not have.
      constexpr int kBefore = kPadding > 0 ? 1 : 0;
      constexpr int kBehind = kTaps - 1 - kPadding >= kStep ? 1 : 0;
      if (kBefore > 0) {
        add_pixel<kWidth, kTaps, kPadding, kOutputs, kBefore, kTaps - 1>(sum, from, c, gradient);
        from += kStep * c;
        gradient += k;
      }
      const int64_t end = g.q - kBehind;
      for (int64_t j = kBefore; j < end; j++, from += kStep * c, gradient += k) {
        add_pixel<kWidth, kTaps, kPadding, kOutputs, 0, kTaps - 1>(sum, from, c, gradient);
      }
      if (kBehind > 0) add_pixel<kWidth, kTaps, kPadding, kOutputs, 0, kTaps - 1 - kBehind>(sum, from, c, gradient);
    }
  }
  float* target = partial + ((o_first * g.r + u) * kTaps) * c + c_first;
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
    for (int v = 0; v < kTaps; v++) {
      *reinterpret_cast<Vector<kWidth>*>(target + (o * g.r * kTaps + v) * c) += sum[v][o];
    }
  }
}

// Output channels [o_begin, o_end) of one part of images.
template <int kWidth, int kTaps, int kStep, int kPadding, int kOutputs>
HAST_INLINE void columns_part(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t o_begin, int64_t o_end) {
  const int64_t o_floats = g.r * kTaps * g.c;
  clear_floats(partial + o_begin * o_floats, (o_end - o_begin) * o_floats);
  // Images whose data stay in the near cache through the passes over kernel rows and channel blocks, but enough
  // pixels to hide the sums' way to memory.
  constexpr int64_t kStepPixels = 256;
  const int64_t step = std::max<int64_t>(1, kStepPixels / (g.p * g.q));
  for (int64_t first = image_begin; first < image_end; first += step) {
    const int64_t last = std::min(first + step, image_end);
    for (int64_t c = 0; c < g.c; c += kWidth) {
      for (int64_t u = 0; u < g.r; u++) {
        int64_t o = o_begin;
        for (; o + kOutputs <= o_end; o += kOutputs)
          columns_tile<kWidth, kTaps, kStep, kPadding, kOutputs>(g, partial, dy, x, first, last, u, o, c);
        if (o_end - o >= 4 && kOutputs > 4) {
          columns_tile<kWidth, kTaps, kStep, kPadding, 4>(g, partial, dy, x, first, last, u, o, c);
          o += 4;
        }
        if (o_end - o == 3) {
          columns_tile<kWidth, kTaps, kStep, kPadding, 3>(g, partial, dy, x, first, last, u, o, c);
          o += 3;
        }
        for (; o < o_end; o++) columns_tile<kWidth, kTaps, kStep, kPadding, 1>(g, partial, dy, x, first, last, u, o, c);
      }
    }
  }
}

// kRows kernel rows from u of three input channels: 9 kRows sums of kWidth output channels. Partial sums are [k /
// kWidth][r][9][kWidth].
template <int kWidth, int kRows>
HAST_INLINE void stem_part(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t o_begin, int64_t o_end) {
  constexpr int kTaps = 9;
  // Input rows with a zero pixel on either side, kept for the kernel rows that meet them.
  float padded[3][(kMaxStemWidth + 2) * 3];
  std::memset(padded, 0, sizeof(padded));
  const int64_t o_floats = g.r * kTaps;
  clear_floats(partial + o_begin * o_floats, (o_end - o_begin) * o_floats);
  const int64_t row_bytes = g.w * 3 * sizeof(float);
  for (int64_t image = image_begin; image < image_end; image++) {
    for (int64_t o = o_begin; o < o_end; o += kWidth) {
      for (int64_t u = 0; u < 3; u += kRows) {
        Vector<kWidth> sum[kRows][kTaps];
#pragma GCC unroll 8
        for (int d = 0; d < kRows; d++) {
#pragma GCC unroll 16
          for (int e = 0; e < kTaps; e++) sum[d][e] = Vector<kWidth>{};
        }
        for (int64_t i = 0; i < g.p; i++) {
          const float* rows[kRows];
          for (int64_t d = 0; d < kRows; d++) {
            const int64_t row = i + u + d - 1;
            float* copy = padded[(row + 3) % 3];
            rows[d] = copy;
            if (d < kRows - 1 && i > 0) continue;
            if (row >= 0 && row < g.h) {
              std::memcpy(copy + 3, x + (image * g.h + row) * g.w * 3, row_bytes);
            } else {
              std::memset(copy + 3, 0, row_bytes);
            }
          }
          const float* gradient = dy + (image * g.p + i) * g.q * g.k + o;
          for (int64_t j = 0; j < g.q; j++, gradient += g.k) {
            const Vector<kWidth> value = HAST_VECTOR(kWidth, gradient);
            // Hidden from the compiler, which would carry the six values shared with the next pixel through the
            // stack: three times the instructions of loading them again as operands.
            int64_t at = 3 * j;
            asm("" : "+r"(at));
#pragma GCC unroll 8
            for (int d = 0; d < kRows; d++) {
#pragma GCC unroll 16
              for (int e = 0; e < kTaps; e++) sum[d][e] += value * rows[d][at + e];
            }
          }
        }
        float* target = partial + o * o_floats + u * kTaps * kWidth;
#pragma GCC unroll 8
        for (int d = 0; d < kRows; d++) {
#pragma GCC unroll 16
          for (int e = 0; e < kTaps; e++)
            *reinterpret_cast<Vector<kWidth>*>(target + (d * kTaps + e) * kWidth) += sum[d][e];
        }
      }
    }
  }
}

}  // namespace hast::conv

#endif

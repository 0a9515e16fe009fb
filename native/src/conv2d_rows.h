// Sweeps by rows, and narrow ones: conv2d_sweep.h has what they are.
#ifndef HAST_CONV2D_ROWS_H
#define HAST_CONV2D_ROWS_H

#include <type_traits>

#include "conv2d_tile.h"

namespace hast::conv {

// The output pixel of a row tile that input column q feeds through tap v, or -1. Columns count from the tile's first
// aligned input column.
template <Direction kDir, int kStep, int kPadding, int kPixels>
constexpr int target_pixel(int q, int v) {
  int p;
  if (kDir == Direction::kForward) {
    const int reach = q + kPadding - v;
    if (reach < 0 || reach % kStep != 0) return -1;
    p = reach / kStep;
  } else {
    p = kStep * q + v - kPadding;
  }
  return p >= 0 && p < kPixels ? p : -1;
}

// Input columns [kFirst, kLast] that a tile of kPixels pixels touches; an edge tile drops those outside the image.
template <Direction kDir, int kTaps, int kStep, int kPadding, int kPixels, bool kLeft, bool kRight>
struct Columns {
  static constexpr int kBefore = kDir == Direction::kForward ? kPadding : (kTaps - 1 - kPadding) / kStep;
  static constexpr int kInside = kDir == Direction::kForward ? kPixels * kStep : kPixels / kStep;
  static constexpr int kFirst = kLeft ? 0 : -kBefore;
  static constexpr int kReach =
      kDir == Direction::kForward ? (kPixels - 1) * kStep + kTaps - 1 - kPadding : (kPixels - 1 + kPadding) / kStep;
  static constexpr int kLast = kRight && kReach >= kInside ? kInside - 1 : kReach;
};

// One tile: kPixels pixels x kBlocks blocks. rows[t] is the aligned input column of the tile in input row t, weights[t]
// the packed kernel row that meets it.
template <int kWidth, Direction kDir, int kTaps, int kStep, int kPadding, int kPixels, int kBlocks, bool kLeft,
          bool kRight>
HAST_INLINE void row_tile(float* out, int64_t out_step, int64_t lanes, bool accumulate, const float* const* rows,
                          const float* const* weights, int64_t row_count, int64_t in_c, int64_t block_step,
                          const float* bias) {
  using V = Vector<kWidth>;
  using Cols = Columns<kDir, kTaps, kStep, kPadding, kPixels, kLeft, kRight>;
  V sum[kBlocks][kPixels];
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; b++) {
    const V start = bias == nullptr ? V{} : HAST_VECTOR(kWidth, bias + b * kWidth);
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; p++) sum[b][p] = start;
  }
  for (int64_t t = 0; t < row_count; t++) {
    const float* x = rows[t];
    const float* weight = weights[t];
    for (int64_t c = 0; c < in_c; c++, x++, weight += kTaps * kWidth) {
      V tap[kBlocks][kTaps];
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; b++) {
#pragma GCC unroll 8
        for (int v = 0; v < kTaps; v++) tap[b][v] = HAST_VECTOR(kWidth, weight + b * block_step + v * kWidth);
      }
#pragma GCC unroll 64
      for (int q = Cols::kFirst; q <= Cols::kLast; q++) {
        const float value = x[q * in_c];
#pragma GCC unroll 8
        for (int v = 0; v < kTaps; v++) {
          const int p = target_pixel<kDir, kStep, kPadding, kPixels>(q, v);
          if (p >= 0) {
#pragma GCC unroll 8
            for (int b = 0; b < kBlocks; b++) sum[b][p] += tap[b][v] * value;
          }
        }
      }
    }
  }
  store_tile<kWidth, kPixels, kBlocks>(sum, kPixels, lanes, accumulate,
                                       [&](int64_t p) HAST_LAMBDA { return out + p * out_step; });
}

// The kernel rows that reach output row i, as pairs of input row and packed weights.
constexpr int64_t kMaxKernelRows = 8;
template <Direction kDir>
HAST_INLINE int64_t kernel_rows(const Sweep& sweep, const float* image, const float* packed, int64_t kernel_row_step,
                                int64_t i, const float** rows, const float** weights) {
  int64_t count = 0;
  for (int64_t u = 0; u < sweep.r; u++) {
    int64_t row;
    if (kDir == Direction::kForward) {
      row = i * sweep.stride_h + u * sweep.dilation_h - sweep.top;
    } else {
      row = i + sweep.top - u * sweep.dilation_h;
      if (row % sweep.stride_h != 0) continue;
      row /= sweep.stride_h;
    }
    if (row < 0 || row >= sweep.in_h) continue;
    rows[count] = image + row * sweep.in_w * sweep.in_c;
    weights[count] = packed + u * kernel_row_step;
    count++;
  }
  return count;
}

template <int kWidth, Direction kDir, int kTaps, int kStep, int kPadding, int kPixels, int kBlocks>
HAST_INLINE void row_band(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  const int64_t in_c = sweep.in_c;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * in_c;
  const int64_t block_step = sweep.r * in_c * kTaps * kWidth;
  const int64_t step = Columns<kDir, kTaps, kStep, kPadding, kPixels, false, false>::kInside * in_c;
  for (int64_t o = 0; o < sweep.out_c; o += kBlocks * kWidth) {
    const float* packed = sweep.packed + o / kWidth * block_step;
    const float* bias = sweep.bias == nullptr ? nullptr : sweep.bias + o;
    for (int64_t i = row_begin; i < row_end; i++) {
      const float* rows[kMaxKernelRows];
      const float* weights[kMaxKernelRows];
      const int64_t count = kernel_rows<kDir>(sweep, in, packed, in_c * kTaps * kWidth, i, rows, weights);
      float* out = sweep.out + (image * sweep.out_h + i) * sweep.out_w * sweep.out_c + o;
      const int64_t tiles = sweep.out_w / kPixels;
      for (int64_t tile = 0; tile < tiles; tile++, out += kPixels * sweep.out_c) {
        const auto run = [&](auto left, auto right) HAST_LAMBDA {
          row_tile<kWidth, kDir, kTaps, kStep, kPadding, kPixels, kBlocks, left.value, right.value>(
              out, sweep.out_c, sweep.out_c - o, sweep.accumulate, rows, weights, count, in_c, block_step, bias);
        };
        const bool left = tile == 0;
        const bool right = tile == tiles - 1;
        if (kTaps == 1) {
          run(std::false_type{}, std::false_type{});
        } else if (left && right) {
          run(std::true_type{}, std::true_type{});
        } else if (left) {
          run(std::true_type{}, std::false_type{});
        } else if (right) {
          run(std::false_type{}, std::true_type{});
        } else {
          run(std::false_type{}, std::false_type{});
        }
        for (int64_t t = 0; t < count; t++) rows[t] += step;
      }
    }
  }
}

// Narrow: stride 1, three columns, padding 1, 3 * out_c <= 16, at most kMaxNarrowWidth columns.
// kChannels, where not 0, is the number of input channels: sixteen addresses do not fit the integer registers
// otherwise.
constexpr int64_t kMaxNarrowWidth = 256;
template <int kWidth, Direction kDir, int kPixels, int kChannels>
HAST_INLINE void narrow_band(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  using V8 = Vector<8>;
  constexpr int kBlocks = kLanes / kWidth;
  const int64_t in_c = kChannels != 0 ? kChannels : sweep.in_c;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * in_c;
  const int64_t block_step = sweep.r * in_c * kWidth;
  const int64_t k = sweep.out_c;
  // A column of zeros on either side, and room for the last vector to read past the end.
  alignas(64) float taps[(kMaxNarrowWidth + 3) * kLanes];
  float line[kMaxNarrowWidth * 5 + 8];
  clear_floats(taps, kLanes);
  clear_floats(taps + (sweep.out_w + 1) * kLanes, 2 * kLanes);
  float start[8] = {};
  if (sweep.bias != nullptr) copy_floats(start, sweep.bias, k);
  for (int64_t i = row_begin; i < row_end; i++) {
    const float* rows[kMaxKernelRows];
    const float* weights[kMaxKernelRows];
    const int64_t count = kernel_rows<kDir>(sweep, in, sweep.packed, in_c * kWidth, i, rows, weights);
    for (int64_t j = 0; j < sweep.out_w; j += kPixels) {
      row_tile<kWidth, Direction::kForward, 1, 1, 0, kPixels, kBlocks, false, false>(
          taps + (j + 1) * kLanes, kLanes, kLanes, false, rows, weights, count, in_c, block_step, nullptr);
      for (int64_t t = 0; t < count; t++) rows[t] += kPixels * in_c;
    }
    const V8 first = HAST_VECTOR(8, start);
    for (int64_t j = 0; j < sweep.out_w; j++) {
      const float* z = taps + j * kLanes;
      *reinterpret_cast<V8*>(line + j * k) =
          first + HAST_VECTOR(8, z) + HAST_VECTOR(8, z + kLanes + k) + HAST_VECTOR(8, z + 2 * kLanes + 2 * k);
    }
    float* out = sweep.out + (image * sweep.out_h + i) * sweep.out_w * k;
    if (sweep.accumulate) {
      for (int64_t e = 0; e < sweep.out_w * k; e++) out[e] += line[e];
    } else {
      copy_floats(out, line, sweep.out_w * k);
    }
  }
}

// The tile of AVX-512 has kPixels pixels x kBlocks blocks.
template <Direction kDir, int kTaps, int kStep, int kPadding, int kPixels, int kBlocks>
BandFunction row_function() {
  return choose<BandFunction, row_band<16, kDir, kTaps, kStep, kPadding, kPixels, kBlocks>,
                row_band<8, kDir, kTaps, kStep, kPadding, 8, 1>, row_band<4, kDir, kTaps, kStep, kPadding, 8, 1>>();
}

template <Direction kDir, int kTaps, int kStep, int kPadding>
BandFunction row_function(const Sweep& sweep) {
  if (ceil_div(sweep.out_c, 16) % 2 == 0) return row_function<kDir, kTaps, kStep, kPadding, 8, 2>();
  if (sweep.out_w % 16 == 0) return row_function<kDir, kTaps, kStep, kPadding, 16, 1>();
  return row_function<kDir, kTaps, kStep, kPadding, 8, 1>();
}

template <Direction kDir, int kChannels>
BandFunction narrow_function() {
  return choose<BandFunction, narrow_band<16, kDir, 16, kChannels>, narrow_band<8, kDir, 4, 0>,
                narrow_band<4, kDir, 2, 0>>();
}

template <Direction kDir>
BandFunction narrow_function(const Sweep& sweep) {
  return sweep.in_c == 16   ? narrow_function<kDir, 16>()
         : sweep.in_c == 64 ? narrow_function<kDir, 64>()
                            : narrow_function<kDir, 0>();
}

}  // namespace hast::conv

#endif

// Sweeps by spread rows: conv2d_sweep.h has what they are.
#ifndef HAST_CONV2D_SPREAD_H
#define HAST_CONV2D_SPREAD_H

#include "conv2d_tile.h"

namespace hast::conv {

// Floats of the sums of a row and of one spread row of the input.
inline int64_t spread_sums(const Sweep& sweep, int64_t lanes) { return sweep.out_w * lanes; }
inline int64_t spread_row(const Sweep& sweep, int64_t lanes) { return sweep.in_w * sweep.group_in * lanes; }

// Whether a vector filled with outputs of several groups pays for spreading the input: a value is moved once for each
// lane, and used for all taps.
inline bool spread_fits(const Sweep& sweep, int64_t lanes) {
  const int64_t taps = sweep.r * sweep.s;
  return sweep.groups > 1 && sweep.group_out < lanes && sweep.group_out * (lanes + taps) < 2 * lanes * taps &&
         spread_sums(sweep, lanes) + spread_row(sweep, lanes) <= kScratchFloats;
}

// Spread rows of the input that are kept for the kernel rows that meet them.
constexpr int64_t kSpreadRows = 16;

// sums[j] += the taps of one kernel row; weight is [s][group_in][kWidth].
template <int kWidth, Direction kDir>
HAST_INLINE void spread_taps(const Sweep& sweep, float* sums, const float* row, const float* weight) {
  using V = Vector<kWidth>;
  const int64_t column_floats = sweep.group_in * kWidth;
  constexpr bool kForward = kDir == Direction::kForward;
  const int64_t phases = kForward ? 1 : std::min(sweep.stride_w, sweep.out_w);
  const int64_t advance = kForward ? sweep.stride_w : 1;
  for (int64_t j0 = 0; j0 < phases; j0++) {
    const auto taps = kForward ? Taps<int64_t>::forward(j0, sweep.stride_w, sweep.left, sweep.dilation_w, sweep.s)
                               : Taps<int64_t>::adjoint(j0, sweep.stride_w, sweep.left, sweep.dilation_w, sweep.s);
    int64_t at = taps.at;
    for (int64_t j = j0; j < sweep.out_w; j += kForward ? 1 : sweep.stride_w, at += advance) {
      V sum = HAST_VECTOR(kWidth, sums + j * kWidth);
      int64_t column = at;
      for (int64_t t = 0; t < taps.count; t++, column += taps.move) {
        if (static_cast<uint64_t>(column) >= static_cast<uint64_t>(sweep.in_w)) continue;
        const float* x = row + column * column_floats;
        const float* w = weight + (taps.first + t * taps.step) * column_floats;
        for (int64_t c = 0; c < column_floats; c += kWidth)
          sum += HAST_VECTOR(kWidth, x + c) * HAST_VECTOR(kWidth, w + c);
      }
      *reinterpret_cast<V*>(sums + j * kWidth) = sum;
    }
  }
}

// Output rows [row_begin, row_end) of one image.
template <int kWidth, Direction kDir>
HAST_INLINE void spread_band(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  using V = Vector<kWidth>;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * sweep.in_c;
  float* sums = thread_scratch();
  float* rows = sums + spread_sums(sweep, kWidth);
  const int64_t row_floats = spread_row(sweep, kWidth);
  const int64_t kept = std::min(kSpreadRows, (kScratchFloats - spread_sums(sweep, kWidth)) / row_floats);
  int64_t kept_row[kSpreadRows];
  for (int64_t o = 0; o < sweep.out_c; o += kWidth) {
    const int64_t lanes = std::min<int64_t>(kWidth, sweep.out_c - o);
    int64_t channel[kWidth];
    for (int64_t l = 0; l < kWidth; l++) channel[l] = (o + std::min(l, lanes - 1)) / sweep.group_out * sweep.group_in;
    for (int64_t slot = 0; slot < kept; slot++) kept_row[slot] = -1;
    for (int64_t i = row_begin; i < row_end; i++) {
      const V start = sweep.bias == nullptr ? V{} : HAST_VECTOR(kWidth, sweep.bias + o);
      for (int64_t j = 0; j < sweep.out_w; j++) *reinterpret_cast<V*>(sums + j * kWidth) = start;
      const auto taps = kDir == Direction::kForward
                            ? Taps<int64_t>::forward(i, sweep.stride_h, sweep.top, sweep.dilation_h, sweep.r)
                            : Taps<int64_t>::adjoint(i, sweep.stride_h, sweep.top, sweep.dilation_h, sweep.r);
      for (int64_t t = 0; t < taps.count; t++) {
        const int64_t in_row = taps.at + t * taps.move;
        if (in_row < 0 || in_row >= sweep.in_h) continue;
        float* row = rows + in_row % kept * row_floats;
        if (kept_row[in_row % kept] != in_row) {
          kept_row[in_row % kept] = in_row;
          spread_pixels<kWidth>(row, in + in_row * sweep.in_w * sweep.in_c, sweep.in_c, sweep.in_w, sweep.group_in,
                                channel);
        }
        const int64_t u = taps.first + t * taps.step;
        spread_taps<kWidth, kDir>(sweep, sums, row,
                                  sweep.packed + (o / kWidth * sweep.r + u) * sweep.s * sweep.group_in * kWidth);
      }
      float* out = sweep.out + (image * sweep.out_h + i) * sweep.out_w * sweep.out_c + o;
      for (int64_t j = 0; j < sweep.out_w; j++, out += sweep.out_c) {
        const float* sum = sums + j * kWidth;
        if (lanes == kWidth) {
          V* target = reinterpret_cast<V*>(out);
          *target = sweep.accumulate ? *target + HAST_VECTOR(kWidth, sum) : HAST_VECTOR(kWidth, sum);
        } else {
          for (int64_t l = 0; l < lanes; l++) out[l] = sweep.accumulate ? out[l] + sum[l] : sum[l];
        }
      }
    }
  }
}

template <Direction kDir>
BandFunction spread_function() {
  return choose<BandFunction, spread_band<16, kDir>, spread_band<8, kDir>, spread_band<4, kDir>>();
}

// Packs weight [k, r, s, c / groups] as [block of lanes][r][s][group_in][lanes]; one call packs kernel row u of a
// block.
template <Direction kDir>
inline void pack_spread_row(const Sweep& sweep, const float* weight, float* packed, int64_t lanes, int64_t block,
                            int64_t u) {
  constexpr bool kForward = kDir == Direction::kForward;
  const int64_t filter = kForward ? sweep.group_in : sweep.group_out;  // the innermost channels of weight
  float* target = packed + (block * sweep.r + u) * sweep.s * sweep.group_in * lanes;
  for (int64_t v = 0; v < sweep.s; v++) {
    for (int64_t i = 0; i < sweep.group_in; i++, target += lanes) {
      for (int64_t l = 0; l < lanes; l++) {
        const int64_t o = block * lanes + l;
        const int64_t outer = kForward ? o : o / sweep.group_out * sweep.group_in + i;
        const int64_t inner = kForward ? i : o % sweep.group_out;
        target[l] = o < sweep.out_c ? weight[((outer * sweep.r + u) * sweep.s + v) * filter + inner] : 0.0f;
      }
    }
  }
}

}  // namespace hast::conv

#endif

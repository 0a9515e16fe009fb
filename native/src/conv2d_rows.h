/* Sweeps by rows, and narrow ones: conv2d_sweep.h has what they are. */
#ifndef HAST_CONV2D_ROWS_H
#define HAST_CONV2D_ROWS_H

#include <type_traits>

#include "conv2d_tile.h"

namespace hast::conv {

/* The output pixel of a row tile that input column q feeds through tap v, or -1. Columns count from the tile's first
 * aligned input column. */
template <Direction kDir, int D, int Left, int P>
constexpr int Target(int q, int v) {
  int p;
  if (kDir == Direction::kForward) {
    const int reach = q + Left - v;
    if (reach < 0 || reach % D != 0) return -1;
    p = reach / D;
  } else {
    p = D * q + v - Left;
  }
  return p >= 0 && p < P ? p : -1;
}

/* Input columns [kFirst, kLast] that a tile of P pixels touches; an edge tile drops those outside the image. */
template <Direction kDir, int S, int D, int Left, int P, bool kLeft, bool kRight>
struct Columns {
  static constexpr int kBefore = kDir == Direction::kForward ? Left : (S - 1 - Left) / D;
  static constexpr int kInside = kDir == Direction::kForward ? P * D : P / D;
  static constexpr int kFirst = kLeft ? 0 : -kBefore;
  static constexpr int kReach = kDir == Direction::kForward ? (P - 1) * D + S - 1 - Left : (P - 1 + Left) / D;
  static constexpr int kLast = kRight && kReach >= kInside ? kInside - 1 : kReach;
};

/* One tile: P pixels x B blocks. rows[t] is the aligned input column of the tile in input row t, weights[t] the packed
 * kernel row that meets it.  */
template <int L, Direction kDir, int S, int D, int Left, int P, int B, bool kLeft, bool kRight>
HAST_INLINE void RowTile(float* out, int64_t out_step, int64_t lanes, bool accumulate, const float* const* rows,
                         const float* const* weights, int64_t row_count, int64_t in_c, int64_t block_step,
                         const float* bias) {
  using V = Vector<L>;
  using Cols = Columns<kDir, S, D, Left, P, kLeft, kRight>;
  V sum[B][P];
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b) {
    const V start = bias == nullptr ? V{} : HAST_VECTOR(L, bias + b * L);
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p) sum[b][p] = start;
  }
  for (int64_t t = 0; t < row_count; ++t) {
    const float* x = rows[t];
    const float* weight = weights[t];
    for (int64_t c = 0; c < in_c; ++c, ++x, weight += S * L) {
      V tap[B][S];
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) {
#pragma GCC unroll 8
        for (int v = 0; v < S; ++v) tap[b][v] = HAST_VECTOR(L, weight + b * block_step + v * L);
      }
#pragma GCC unroll 64
      for (int q = Cols::kFirst; q <= Cols::kLast; ++q) {
        const float value = x[q * in_c];
#pragma GCC unroll 8
        for (int v = 0; v < S; ++v) {
          const int p = Target<kDir, D, Left, P>(q, v);
          if (p >= 0) {
#pragma GCC unroll 8
            for (int b = 0; b < B; ++b) sum[b][p] += tap[b][v] * value;
          }
        }
      }
    }
  }
  StoreTile<L, P, B>(sum, P, lanes, accumulate, [&](int64_t p) HAST_LAMBDA { return out + p * out_step; });
}

/* The kernel rows that reach output row i, as pairs of input row and packed weights. */
inline constexpr int64_t kMaxKernelRows = 8;
template <Direction kDir>
HAST_INLINE int64_t KernelRows(const Sweep& sweep, const float* image, const float* packed, int64_t kernel_row_step,
                               int64_t i, const float** rows, const float** weights) {
  int64_t count = 0;
  for (int64_t u = 0; u < sweep.r; ++u) {
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
    ++count;
  }
  return count;
}

template <int L, Direction kDir, int S, int D, int Left, int P, int B>
HAST_INLINE void RowBand(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  const int64_t in_c = sweep.in_c;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * in_c;
  const int64_t block_step = sweep.r * in_c * S * L;
  const int64_t step = Columns<kDir, S, D, Left, P, false, false>::kInside * in_c;
  for (int64_t o = 0; o < sweep.out_c; o += B * L) {
    const float* packed = sweep.packed + o / L * block_step;
    const float* bias = sweep.bias == nullptr ? nullptr : sweep.bias + o;
    for (int64_t i = row_begin; i < row_end; ++i) {
      const float* rows[kMaxKernelRows];
      const float* weights[kMaxKernelRows];
      const int64_t count = KernelRows<kDir>(sweep, in, packed, in_c * S * L, i, rows, weights);
      float* out = sweep.out + (image * sweep.out_h + i) * sweep.out_w * sweep.out_c + o;
      const int64_t tiles = sweep.out_w / P;
      for (int64_t tile = 0; tile < tiles; ++tile, out += P * sweep.out_c) {
        const auto run = [&](auto left, auto right) HAST_LAMBDA {
          RowTile<L, kDir, S, D, Left, P, B, left.value, right.value>(
              out, sweep.out_c, sweep.out_c - o, sweep.accumulate, rows, weights, count, in_c, block_step, bias);
        };
        const bool left = tile == 0;
        const bool right = tile == tiles - 1;
        if (S == 1) {
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
        for (int64_t t = 0; t < count; ++t) rows[t] += step;
      }
    }
  }
}

/* Narrow: stride 1, three columns, padding 1, 3 * out_c <= 16, at most kMaxNarrowWidth columns.
 * C, where not 0, is the number of input channels: sixteen addresses do not fit the integer registers otherwise. */
inline constexpr int64_t kMaxNarrowWidth = 256;
template <int L, Direction kDir, int P, int C>
HAST_INLINE void NarrowBand(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  using V8 = Vector<8>;
  constexpr int B = kLanes / L;
  const int64_t in_c = C != 0 ? C : sweep.in_c;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * in_c;
  const int64_t block_step = sweep.r * in_c * L;
  const int64_t k = sweep.out_c;
  /* A column of zeros on either side, and room for the last vector to read past the end. */
  alignas(64) float taps[(kMaxNarrowWidth + 3) * kLanes];
  float line[kMaxNarrowWidth * 5 + 8];
  std::memset(taps, 0, kLanes * sizeof(float));
  std::memset(taps + (sweep.out_w + 1) * kLanes, 0, 2 * kLanes * sizeof(float));
  float start[8] = {};
  if (sweep.bias != nullptr) std::memcpy(start, sweep.bias, k * sizeof(float));
  for (int64_t i = row_begin; i < row_end; ++i) {
    const float* rows[kMaxKernelRows];
    const float* weights[kMaxKernelRows];
    const int64_t count = KernelRows<kDir>(sweep, in, sweep.packed, in_c * L, i, rows, weights);
    for (int64_t j = 0; j < sweep.out_w; j += P) {
      RowTile<L, Direction::kForward, 1, 1, 0, P, B, false, false>(taps + (j + 1) * kLanes, kLanes, kLanes, false, rows,
                                                                   weights, count, in_c, block_step, nullptr);
      for (int64_t t = 0; t < count; ++t) rows[t] += P * in_c;
    }
    const V8 first = HAST_VECTOR(8, start);
    for (int64_t j = 0; j < sweep.out_w; ++j) {
      const float* z = taps + j * kLanes;
      *reinterpret_cast<V8*>(line + j * k) =
          first + HAST_VECTOR(8, z) + HAST_VECTOR(8, z + kLanes + k) + HAST_VECTOR(8, z + 2 * kLanes + 2 * k);
    }
    float* out = sweep.out + (image * sweep.out_h + i) * sweep.out_w * k;
    if (sweep.accumulate) {
      for (int64_t e = 0; e < sweep.out_w * k; ++e) out[e] += line[e];
    } else {
      std::memcpy(out, line, sweep.out_w * k * sizeof(float));
    }
  }
}

template <Direction kDir, int S, int D, int Left, int P, int B>
HAST_TARGET_V4 void RowBandV4(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<16, kDir, S, D, Left, P, B>(sweep, image, row_begin, row_end);
}
template <Direction kDir, int S, int D, int Left>
HAST_TARGET_V3 void RowBandV3(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<8, kDir, S, D, Left, 8, 1>(sweep, image, row_begin, row_end);
}
template <Direction kDir, int S, int D, int Left>
void RowBandBaseline(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<4, kDir, S, D, Left, 8, 1>(sweep, image, row_begin, row_end);
}

template <Direction kDir, int C>
HAST_TARGET_V4 void NarrowBandV4(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  NarrowBand<16, kDir, 16, C>(sweep, image, row_begin, row_end);
}
template <Direction kDir>
HAST_TARGET_V3 void NarrowBandV3(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  NarrowBand<8, kDir, 4, 0>(sweep, image, row_begin, row_end);
}
template <Direction kDir>
void NarrowBandBaseline(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  NarrowBand<4, kDir, 2, 0>(sweep, image, row_begin, row_end);
}

template <Direction kDir, int S, int D, int Left>
BandFunction RowFunction(const Sweep& sweep) {
  if (kIsa == Isa::kV3) return RowBandV3<kDir, S, D, Left>;
  if (kIsa == Isa::kBaseline) return RowBandBaseline<kDir, S, D, Left>;
  if (CeilDiv(sweep.out_c, 16) % 2 == 0) return RowBandV4<kDir, S, D, Left, 8, 2>;
  if (sweep.out_w % 16 == 0) return RowBandV4<kDir, S, D, Left, 16, 1>;
  return RowBandV4<kDir, S, D, Left, 8, 1>;
}

template <Direction kDir>
BandFunction NarrowFunction(const Sweep& sweep) {
  if (kIsa == Isa::kV4) {
    return sweep.in_c == 16   ? NarrowBandV4<kDir, 16>
           : sweep.in_c == 64 ? NarrowBandV4<kDir, 64>
                              : NarrowBandV4<kDir, 0>;
  }
  if (kIsa == Isa::kV3) return NarrowBandV3<kDir>;
  return NarrowBandBaseline<kDir>;
}

}  // namespace hast::conv

#endif

// The weight gradient by Winograd's filtering: conv2d_bwd_weight.cpp has where.
#ifndef HAST_CONV2D_BWD_WEIGHT_WINOGRAD_H
#define HAST_CONV2D_BWD_WEIGHT_WINOGRAD_H

#include "conv2d_bwd_weight.h"

namespace hast::conv {

// Rows of tiles in a band of kWinograd: about 32 tiles, so that four frequencies of both operands fits the nearest
// cache and loading the sums costs little; 0 if one row exceeds the scratch.
inline int64_t winograd_band_rows(const Geometry& g) {
  const int64_t row_tiles = g.w / 2;
  const int64_t most = kScratchFloats / (4 * (g.c + g.k)) / row_tiles;
  return std::min(most, std::max<int64_t>(1, 32 / row_tiles));
}

// Winograd's F(2x2, 3x3), differentiated: with D a 4x4 tile of x and E its 2x2 tile of dy,
//   dweight = G^T [ sum over tiles of (A E A^T) . (B^T D B) ] G.
// A row of four frequencies needs one vertical sum only, so the frequencies of a part of images split into up to four
// tasks at no cost but reading the tensors again.

// V [4][c / kWidth][tiles][kWidth] of one row of tiles: columns of first + sign * second, then the four horizontal
// sums.
template <int kWidth>
HAST_INLINE void input_frequencies(float* v, int64_t frequency_step, const float* first, int64_t first_step,
                                   const float* second, int64_t second_step, float sign, int64_t tiles) {
  using V = Vector<kWidth>;
  V a{};
  V b = HAST_VECTOR(kWidth, first) + sign * HAST_VECTOR(kWidth, second);
  for (int64_t tile = 0; tile < tiles; tile++, v += kWidth) {
    first += first_step;
    second += second_step;
    const V c = HAST_VECTOR(kWidth, first) + sign * HAST_VECTOR(kWidth, second);
    V d{};
    if (tile + 1 < tiles) {
      first += first_step;
      second += second_step;
      d = HAST_VECTOR(kWidth, first) + sign * HAST_VECTOR(kWidth, second);
    }
    *reinterpret_cast<V*>(v) = a - c;
    *reinterpret_cast<V*>(v + frequency_step) = b + c;
    *reinterpret_cast<V*>(v + 2 * frequency_step) = c - b;
    *reinterpret_cast<V*>(v + 3 * frequency_step) = b - d;
    a = c;
    b = d;
  }
}

// The same of dy, [4][tiles][k]: columns of first + sign * second, or one row alone.
template <int kWidth>
HAST_INLINE void gradient_frequencies(float* e, int64_t frequency_step, const float* row, const float* next, int64_t k,
                                      int64_t frequency, int64_t tiles) {
  using V = Vector<kWidth>;
  for (int64_t tile = 0; tile < tiles; tile++, e += k, row += 2 * k, next += 2 * k) {
    V a, b;
    if (frequency == 0) {
      a = HAST_VECTOR(kWidth, row);
      b = HAST_VECTOR(kWidth, row + k);
    } else if (frequency == 1) {
      a = HAST_VECTOR(kWidth, row) + HAST_VECTOR(kWidth, next);
      b = HAST_VECTOR(kWidth, row + k) + HAST_VECTOR(kWidth, next + k);
    } else if (frequency == 2) {
      a = HAST_VECTOR(kWidth, row) - HAST_VECTOR(kWidth, next);
      b = HAST_VECTOR(kWidth, row + k) - HAST_VECTOR(kWidth, next + k);
    } else {
      a = -HAST_VECTOR(kWidth, next);
      b = -HAST_VECTOR(kWidth, next + k);
    }
    *reinterpret_cast<V*>(e) = a;
    *reinterpret_cast<V*>(e + frequency_step) = a + b;
    *reinterpret_cast<V*>(e + 2 * frequency_step) = a - b;
    *reinterpret_cast<V*>(e + 3 * frequency_step) = -b;
  }
}

// partial[o][c] += sum over tiles of e[tile][o] v[tile][c] for kOutputs output channels and kBlocks blocks of input
// channels.
template <int kWidth, int kOutputs, int kBlocks>
HAST_INLINE void outer_tile(float* partial, int64_t c, const float* e, int64_t k, const float* v, int64_t v_block_step,
                            int64_t tiles) {
  using V = Vector<kWidth>;
  V sum[kOutputs][kBlocks];
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; b++) sum[o][b] = V{};
  }
  for (int64_t tile = 0; tile < tiles; tile++, e += k, v += kWidth) {
    V column[kBlocks];
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; b++) column[b] = HAST_VECTOR(kWidth, v + b * v_block_step);
#pragma GCC unroll 16
    for (int o = 0; o < kOutputs; o++) {
      const float value = e[o];
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; b++) sum[o][b] += column[b] * value;
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; b++) *reinterpret_cast<V*>(partial + o * c + b * kWidth) += sum[o][b];
  }
}

// One part of images and rows of frequencies [frequency_begin, frequency_end); partial is [16][k][c].
template <int kWidth, int kOutputs, int kBlocks>
HAST_INLINE void winograd_part(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  const int64_t c = g.c;
  const int64_t k = g.k;
  const int64_t row_tiles = g.w / 2;
  const int64_t image_rows = g.h / 2;
  const int64_t band_rows = winograd_band_rows(g);
  clear_floats(partial + 4 * frequency_begin * k * c, 4 * (frequency_end - frequency_begin) * k * c);
  const int64_t last = image_end * image_rows;
  for (int64_t begin = image_begin * image_rows; begin < last; begin += band_rows) {
    const int64_t end = std::min(begin + band_rows, last);
    const int64_t tiles = (end - begin) * row_tiles;
    float* v = scratch;
    float* e = v + 4 * tiles * c;
    for (int64_t frequency = frequency_begin; frequency < frequency_end; frequency++) {
      const int64_t first_row = frequency == 0 ? -1 : frequency == 2 ? 1 : 0;
      const int64_t second_row = frequency == 2 ? 0 : frequency == 3 ? 2 : 1;
      const float sign = frequency == 1 ? 1.0f : -1.0f;
      for (int64_t row = begin; row < end; row++) {
        const int64_t top = row % image_rows * 2;
        const float* image = x + row / image_rows * g.h * g.w * c;
        const bool first_inside = top + first_row >= 0;
        const bool second_inside = top + second_row < g.h;
        const int64_t tile = (row - begin) * row_tiles;
        for (int64_t block = 0; block < c; block += kWidth) {
          input_frequencies<kWidth>(v + block * tiles + tile * kWidth, tiles * c,
                                    first_inside ? image + (top + first_row) * g.w * c + block : zeros,
                                    first_inside ? c : 0,
                                    second_inside ? image + (top + second_row) * g.w * c + block : zeros,
                                    second_inside ? c : 0, sign, row_tiles);
        }
        const float* gradient = dy + row * 2 * g.w * k;
        for (int64_t block = 0; block < k; block += kWidth) {
          gradient_frequencies<kWidth>(e + tile * k + block, tiles * k, gradient + block, gradient + g.w * k + block, k,
                                       frequency, row_tiles);
        }
      }
      // The products leave the memory idle: fetch the next band beside them.
      const int64_t next = std::min(band_rows, last - end) * 2 * g.w / 4;
      for (int64_t f = 0; f < 4; f++) {
        if (frequency == frequency_begin) {
          const float* next_x = x + (end * 2 * g.w + f * next) * c;
          for (int64_t i = 0; i < next * c; i += 16) __builtin_prefetch(next_x + i, 0, 2);
          const float* next_dy = dy + (end * 2 * g.w + f * next) * k;
          for (int64_t i = 0; i < next * k; i += 16) __builtin_prefetch(next_dy + i, 0, 2);
        }
        for (int64_t block = 0; block < c; block += kBlocks * kWidth) {
          for (int64_t o = 0; o < k; o += kOutputs) {
            outer_tile<kWidth, kOutputs, kBlocks>(partial + ((4 * frequency + f) * k + o) * c + block, c,
                                                  e + f * tiles * k + o, k, v + f * tiles * c + block * tiles,
                                                  tiles * kWidth, tiles);
          }
        }
      }
    }
  }
}

// dweight[o] from the frequencies of all parts, added in order.
template <int kWidth>
HAST_INLINE void winograd_reduce(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                 int64_t o) {
  using V = Vector<kWidth>;
  for (int64_t c = 0; c < g.c; c += kWidth) {
    V half[4][3];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      V s[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        const float* from = partial + ((4 * i + j) * g.k + o) * g.c + c;
        s[j] = HAST_VECTOR(kWidth, from);
        for (int64_t part = 1; part < plan.parts; part++) {
          s[j] += HAST_VECTOR(kWidth, from + part * plan.partial_floats);
        }
      }
      half[i][0] = s[0] + 0.5f * (s[1] + s[2]);
      half[i][1] = 0.5f * (s[1] - s[2]);
      half[i][2] = 0.5f * (s[1] + s[2]) + s[3];
    }
    float* to = dweight + o * 9 * g.c + c;
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
      *reinterpret_cast<V*>(to + v * g.c) = half[0][v] + 0.5f * (half[1][v] + half[2][v]);
      *reinterpret_cast<V*>(to + (3 + v) * g.c) = 0.5f * (half[1][v] - half[2][v]);
      *reinterpret_cast<V*>(to + (6 + v) * g.c) = 0.5f * (half[1][v] + half[2][v]) + half[3][v];
    }
  }
}

}  // namespace hast::conv

#endif

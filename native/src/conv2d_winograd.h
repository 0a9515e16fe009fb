// Winograd's minimal filtering F(2x2, 3x3): 3x3 kernels, stride 1, padding 1, even images, whole blocks of channels.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A        (Lavin and Gray 2016, arXiv 1509.09308)
//
// A tile of 2x2 outputs costs 16 products per pair of channels rather than 36. The transforms hold 0, 1, -1 and 1/2
// only, and the sums are shorter: measured against double, the error is below that of the direct sum. An infinity or a
// NaN spreads over its tile.
//
// A task takes bands of a few rows of tiles. It transforms the band's input into V, multiplies each of the 16
// frequencies with its matrix of transformed weights U [16][block][in_c][lanes] in register tiles of kTiles tiles x
// kBlocks blocks, and transforms the products back. V and the products are scratch of the thread.
#ifndef HAST_CONV2D_WINOGRAD_H
#define HAST_CONV2D_WINOGRAD_H

#include <algorithm>

#include "conv2d_common.h"
#include "parallel.h"

namespace hast::conv {

struct Winograd {
  const float* in;       // [n, h, w, in_c]
  float* out;            // [n, h, w, out_c]
  const float* weights;  // U
  const float* bias;     // [out_c] or NULL
  const float* zeros;    // in_c of them
  int64_t n, h, w, in_c, out_c;
  bool accumulate;
};

// Rows of tiles in a band: sixteen tiles, so that V and the products of 16 channels fit the nearest cache together;
// one row if it is longer; 0 if that exceeds the scratch.
inline int64_t winograd_rows(int64_t w, int64_t in_c, int64_t out_c) {
  const int64_t row_tiles = w / 2;
  const int64_t rows = larger(1, 16 / row_tiles);
  const int64_t block = out_c % 32 == 0 ? 32 : 16;
  return round_up(rows * row_tiles, 16) * 16 * (in_c + block) <= kScratchFloats ? rows : 0;
}

// Few tiles do not repay the transform of the weights.
inline bool winograd_fits(const Geometry& g, int64_t in_c, int64_t out_c) {
  return g.r == 3 && g.s == 3 && g.plain(1, 1) && g.groups == 1 && g.h % 2 == 0 && g.w % 2 == 0 && in_c % kLanes == 0 &&
         out_c % kLanes == 0 && g.n * g.h * g.w >= 256 && winograd_rows(g.w, in_c, out_c) > 0;
}

inline int64_t winograd_bytes(int64_t in_c, int64_t out_c) {
  return kAlignment + bytes_of<float>(16 * in_c * out_c + in_c);
}

// Rows first: the four vertical sums of one column of four pixels; advances to the next column.
template <int kWidth>
HAST_INLINE void input_column(Vector<kWidth> (&column)[4], const float* (&rows)[4], const int64_t (&steps)[4]) {
  Vector<kWidth> d[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    d[i] = HAST_VECTOR(kWidth, rows[i]);
    rows[i] += steps[i];
  }
  column[0] = d[0] - d[2];
  column[1] = d[1] + d[2];
  column[2] = d[2] - d[1];
  column[3] = d[1] - d[3];
}

// V of one row of tiles and one block of channels, as [group of kTiles tiles][16][kTiles][kWidth]: all sixteen
// frequencies of a tile are one register plus a constant away. Neighbouring tiles share two columns. first counts tiles
// from v.
template <int kWidth, int kTiles>
HAST_INLINE void input_row(float* v, int64_t first, const float* (&rows)[4], const int64_t (&steps)[4], int64_t tiles) {
  using V = Vector<kWidth>;
  V a[4], b[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) a[i] = V{};
  input_column<kWidth>(b, rows, steps);
  for (int64_t tile = first; tile < first + tiles; tile++) {
    V c[4], d[4];
    input_column<kWidth>(c, rows, steps);
    if (tile + 1 < first + tiles) {
      input_column<kWidth>(d, rows, steps);
    } else {
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) d[i] = V{};
    }
    float* target = v + (tile / kTiles * 16 * kTiles + tile % kTiles) * kWidth;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++, target += 4 * kTiles * kWidth) {
      *reinterpret_cast<V*>(target) = a[i] - c[i];
      *reinterpret_cast<V*>(target + kTiles * kWidth) = b[i] + c[i];
      *reinterpret_cast<V*>(target + 2 * kTiles * kWidth) = c[i] - b[i];
      *reinterpret_cast<V*>(target + 3 * kTiles * kWidth) = b[i] - d[i];
      a[i] = c[i];
      b[i] = d[i];
    }
  }
}

// products[p][b] = sum over c of v[c / kWidth][p][c % kWidth] u[b][c]. Tiles lie kWidth floats apart whatever in_c, so
// that all kTiles addresses are one register plus a constant.
template <int kWidth, int kTiles, int kBlocks>
HAST_INLINE void frequency_tile(float* products, const float* v, int64_t v_block_step, const float* u, int64_t in_c) {
  using V = Vector<kWidth>;
  V sum[kBlocks][kTiles];
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; b++) {
#pragma GCC unroll 32
    for (int p = 0; p < kTiles; p++) sum[b][p] = V{};
  }
  for (int64_t block = 0; block < in_c; block += kWidth, v += v_block_step) {
    for (int64_t c = 0; c < kWidth; c++, u += kWidth) {
      V weight[kBlocks];
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; b++) weight[b] = HAST_VECTOR(kWidth, u + b * in_c * kWidth);
#pragma GCC unroll 32
      for (int p = 0; p < kTiles; p++) {
        const float value = v[p * kWidth + c];
#pragma GCC unroll 8
        for (int b = 0; b < kBlocks; b++) sum[b][p] += weight[b] * value;
      }
    }
  }
#pragma GCC unroll 32
  for (int p = 0; p < kTiles; p++) {
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; b++) *reinterpret_cast<V*>(products + (p * kBlocks + b) * kWidth) = sum[b][p];
  }
}

// The 2x2 pixels of each tile of one row of tiles, one block of channels. Products are
// [group][16][kTiles][kBlocks][kWidth].
template <int kWidth, int kTiles, int kBlocks, bool kAccumulate>
HAST_INLINE void output_row(float* out, int64_t row_step, int64_t out_c, const float* products, int64_t first,
                            const float* bias, int64_t tiles) {
  using V = Vector<kWidth>;
  const V start = bias == nullptr ? V{} : HAST_VECTOR(kWidth, bias);
  for (int64_t tile = first; tile < first + tiles; tile++, out += 2 * out_c) {
    const float* m = products + (tile / kTiles * 16 * kTiles + tile % kTiles) * kBlocks * kWidth;
    V left[4], right[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++, m += 4 * kTiles * kBlocks * kWidth) {
      const V m0 = HAST_VECTOR(kWidth, m);
      V m1 = HAST_VECTOR(kWidth, m + kTiles * kBlocks * kWidth);
      const V m2 = HAST_VECTOR(kWidth, m + 2 * kTiles * kBlocks * kWidth);
      const V m3 = HAST_VECTOR(kWidth, m + 3 * kTiles * kBlocks * kWidth);
      // This frequency enters all four pixels with weight 1.
      if (i == 1) m1 += start;
      left[i] = m0 + m1 + m2;
      right[i] = m1 - m2 - m3;
    }
    const V y[4] = {left[0] + left[1] + left[2], right[0] + right[1] + right[2], left[1] - left[2] - left[3],
                    right[1] - right[2] - right[3]};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      V* target = reinterpret_cast<V*>(out + (i / 2) * row_step + (i % 2) * out_c);
      *target = kAccumulate ? *target + y[i] : y[i];
    }
  }
}

// The products leave the memory idle and the transforms wait for it, so a sixteenth of the next band's input and of
// this band's output is fetched beside each frequency: 10 % slower where all is in the cache, 30 % faster from memory.
HAST_INLINE void prefetch(const Winograd& g, int64_t begin, int64_t end, int64_t part) {
  const int64_t pixels = (end - begin) * g.w / 8;
  const float* in = g.in + (end * 2 * g.w + part * pixels) * g.in_c;
  if (end < g.n * g.h / 2) {
    for (int64_t e = 0; e < pixels * g.in_c; e += 16) __builtin_prefetch(in + e, 0, 2);
  }
  float* out = g.out + (begin * 2 * g.w + part * pixels) * g.out_c;
  for (int64_t e = 0; e < pixels * g.out_c; e += 16) __builtin_prefetch(out + e, 1, 2);
}

// Rows of tiles [begin, end), counted through all images.
template <int kWidth, int kTiles, int kBlocks>
HAST_INLINE void winograd_band(const Winograd& g, int64_t begin, int64_t end, float* scratch) {
  const int64_t row_tiles = g.w / 2;
  const int64_t image_rows = g.h / 2;
  const int64_t capacity = round_up((end - begin) * row_tiles, kTiles);
  float* v = scratch;  // [in_c / kWidth][capacity / kTiles][16][kTiles][kWidth]
  float* products = v + 16 * capacity * g.in_c;
  for (int64_t row = begin; row < end; row++) {
    const float* image = g.in + row / image_rows * g.h * g.w * g.in_c;
    for (int64_t c = 0; c < g.in_c; c += kWidth) {
      const float* rows[4];
      int64_t steps[4];
      for (int64_t i = 0; i < 4; i++) {
        const int64_t in_row = row % image_rows * 2 + i - 1;
        const bool inside = in_row >= 0 && in_row < g.h;
        rows[i] = inside ? image + in_row * g.w * g.in_c + c : g.zeros;
        steps[i] = inside ? g.in_c : 0;
      }
      input_row<kWidth, kTiles>(v + 16 * capacity * c, (row - begin) * row_tiles, rows, steps, row_tiles);
    }
  }
  for (int64_t o = 0; o < g.out_c; o += kBlocks * kWidth) {
    for (int64_t f = 0; f < 16; f++) {
      const float* u = g.weights + (f * g.out_c + o) * g.in_c;
      if (o == 0) prefetch(g, begin, end, f);
      for (int64_t t = 0; t < capacity; t += kTiles) {
        frequency_tile<kWidth, kTiles, kBlocks>(products + (t * 16 + f * kTiles) * kBlocks * kWidth,
                                                v + (t * 16 + f * kTiles) * kWidth, 16 * capacity * kWidth, u, g.in_c);
      }
    }
    for (int64_t row = begin; row < end; row++) {
      float* out = g.out + ((row / image_rows * g.h + row % image_rows * 2) * g.w) * g.out_c + o;
      for (int64_t b = 0; b < kBlocks; b++) {
        const float* bias = g.bias == nullptr ? nullptr : g.bias + o + b * kWidth;
        const int64_t first = (row - begin) * row_tiles;
        if (g.accumulate) {
          output_row<kWidth, kTiles, kBlocks, true>(out + b * kWidth, g.w * g.out_c, g.out_c, products + b * kWidth,
                                                    first, bias, row_tiles);
        } else {
          output_row<kWidth, kTiles, kBlocks, false>(out + b * kWidth, g.w * g.out_c, g.out_c, products + b * kWidth,
                                                     first, bias, row_tiles);
        }
      }
    }
  }
}

// U of one block of kWidth output channels from weight[o][u][v][i], or from weight[i][2 - u][2 - v][o] when transposed.
template <int kWidth, bool kTransposed>
HAST_INLINE void winograd_weights(float* weights, const float* weight, int64_t in_c, int64_t out_c, int64_t o) {
  using V = Vector<kWidth>;
  for (int64_t i = 0; i < in_c; i++) {
    V g[3][3];
    if (kTransposed) {
#pragma GCC unroll 3
      for (int u = 0; u < 3; u++) {
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++) g[u][v] = HAST_VECTOR(kWidth, weight + ((i * 3 + 2 - u) * 3 + 2 - v) * out_c + o);
      }
    } else {
      float lanes[9][kWidth];
      for (int l = 0; l < kWidth; l++) {
        for (int tap = 0; tap < 9; tap++) lanes[tap][l] = weight[((o + l) * 9 + tap) * in_c + i];
      }
#pragma GCC unroll 3
      for (int u = 0; u < 3; u++) {
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++) g[u][v] = HAST_VECTOR(kWidth, lanes[u * 3 + v]);
      }
    }
    V half[4][3];
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
      half[0][v] = g[0][v];
      half[1][v] = 0.5f * (g[0][v] + g[1][v] + g[2][v]);
      half[2][v] = 0.5f * (g[0][v] - g[1][v] + g[2][v]);
      half[3][v] = g[2][v];
    }
    float* target = weights + o * in_c + i * kWidth;
    const int64_t step = out_c * in_c;
#pragma GCC unroll 4
    for (int u = 0; u < 4; u++) {
      *reinterpret_cast<V*>(target + (4 * u) * step) = half[u][0];
      *reinterpret_cast<V*>(target + (4 * u + 1) * step) = 0.5f * (half[u][0] + half[u][1] + half[u][2]);
      *reinterpret_cast<V*>(target + (4 * u + 2) * step) = 0.5f * (half[u][0] - half[u][1] + half[u][2]);
      *reinterpret_cast<V*>(target + (4 * u + 3) * step) = half[u][2];
    }
  }
}

using WinogradFunction = void (*)(const Winograd& g, int64_t begin, int64_t end, float* scratch);
using WinogradWeightFunction = void (*)(float* weights, const float* weight, int64_t in_c, int64_t out_c, int64_t o);

// The workspace holds winograd_bytes.
template <bool kTransposed>
inline void run_winograd(Winograd& g, const float* weight, void* workspace, void* stream) {
  float* weights = aligned(workspace);
  float* zeros = weights + 16 * g.in_c * g.out_c;
  clear_floats(zeros, g.in_c);
  g.weights = weights;
  g.zeros = zeros;

  const auto transform = choose<WinogradWeightFunction, winograd_weights<16, kTransposed>,
                                winograd_weights<8, kTransposed>, winograd_weights<4, kTransposed>>();
  const int64_t lanes = lanes_of(kIsa);
  const int64_t blocks = g.out_c / lanes;
  constexpr int64_t kSerialFloats = 1024;
  if (g.in_c * g.out_c <= kSerialFloats) {
    for (int64_t block = 0; block < blocks; block++) transform(weights, weight, g.in_c, g.out_c, block * lanes);
  } else {
    parallel_for(stream, blocks, [&](int64_t block) { transform(weights, weight, g.in_c, g.out_c, block * lanes); });
  }

  const auto band =
      g.out_c % 32 == 0
          ? choose<WinogradFunction, winograd_band<16, 8, 2>, winograd_band<8, 4, 2>, winograd_band<4, 4, 2>>()
          : choose<WinogradFunction, winograd_band<16, 16, 1>, winograd_band<8, 4, 2>, winograd_band<4, 4, 2>>();
  const int64_t rows = g.n * g.h / 2;
  const int64_t band_rows = smaller(winograd_rows(g.w, g.in_c, g.out_c), rows);
  const int64_t bands = ceil_div(rows, band_rows);
  // About a quarter of a million products a piece, so that claiming one costs nothing.
  const int64_t piece_bands = larger(1, (1 << 18) / (band_rows * g.w / 2 * g.in_c * g.out_c));
  parallel_for(stream, ceil_div(bands, piece_bands), [&](int64_t piece) {
    float* scratch = thread_scratch();
    for (int64_t b = piece * piece_bands; b < smaller(bands, (piece + 1) * piece_bands); b++) {
      band(g, b * band_rows, smaller(rows, (b + 1) * band_rows), scratch);
    }
  });
}

}  // namespace hast::conv

#endif

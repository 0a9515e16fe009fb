/* Weight gradient of the convolution.
 *
 *   dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n, i stride + u - pad, j stride + v - pad, c]
 *
 * Shapes: dy [n,p,q,k], x [n,h,w,c], dweight [k,r,s,c]. Deterministic: images form groups whose number depends on the
 * sizes only; each group has its own partial sums in the workspace, added in the order of the groups, so any number of
 * workers gives the same bytes. Beyond the groups, tasks split output channels, kernel rows or frequencies.
 *
 * Winograd F(2x2,3x3) differentiated, for 3x3 stride 1, even images and whole blocks of 16 channels: sums of 8 outputs
 * x 2 blocks of inputs (16 x 1 for c = 16) stay in registers over a band of about 32 tiles. Otherwise 3 columns x 8
 * outputs over the pixels of an image; all 27 taps of three input channels at once for the stem; padded copies of input
 * rows for any other shape.
 *
 * Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 199;
 * 16->16 @32 321; 32->32 @16 371; 64->64 @8 410; 16->32 @32 stride 2 237; 32->64 @16 stride 2 250; 1x1 stride 2 164,
 * 158; n = 16: 128->128 @16 432; 128->64 @32 344; 64->3 @32 226. Direct only, the three middle layers took 1.27, 1.19
 * and 1.05 ms, now 0.90, 0.78 and 0.71. */
#include <hast/status.h>

#include <algorithm>

#include "conv2d_common.h"
#include "parallel.h"

namespace hast::conv {
namespace {

/* How the weight gradient of a shape is computed. */
enum class Method {
  kWinograd, /* 3x3 pad 1 stride 1, even images, whole blocks of c and k */
  kColumns,  /* vectors over whole blocks of c, 3x3 pad 1 or 1x1 pad 0 */
  kStem,     /* vectors over whole blocks of k, three input channels, 3x3 pad 1 stride 1 */
  kPadded    /* anything, from input rows copied with padding */
};

struct WeightPlan {
  Method method;
  int64_t groups;         /* of images; each has its own partial sums */
  int64_t partial_floats; /* of one group */
  int64_t padded_c;
  int64_t row_floats; /* of one padded input row; kPadded only */
  int64_t zeros;      /* floats of zeros wanted; kWinograd only */
};

constexpr int64_t kMaxStemWidth = 256;

/* Rows of tiles in a band of kWinograd: about 32 tiles, so that four frequencies of both operands fits the nearest
 * cache and loading the sums costs little; 0 if one row exceeds the scratch. */
int64_t BandRows(const Geometry& g) {
  const int64_t row_tiles = g.w / 2;
  const int64_t most = kScratchFloats / (4 * (g.c + g.k)) / row_tiles;
  return std::min(most, std::max<int64_t>(1, 32 / row_tiles));
}

WeightPlan PlanOf(const Geometry& g) {
  WeightPlan plan{};
  const bool aligned = g.w == g.q * g.stride && g.h == g.p * g.stride && g.stride <= 2;
  const bool three = g.r == 3 && g.s == 3 && g.pad == 1 && aligned && g.q >= 2;
  const bool one = g.r == 1 && g.s == 1 && g.pad == 0 && aligned;
  plan.padded_c = RoundUp(g.c, kLanes);
  plan.method = Method::kPadded;
  if (g.c % kLanes == 0 && (three || one)) plan.method = Method::kColumns;
  if (g.c == 3 && g.k % kLanes == 0 && three && g.stride == 1 && g.w <= kMaxStemWidth) {
    plan.method = Method::kStem;
    plan.padded_c = 3;
  }
  if (g.r == 3 && g.s == 3 && g.pad == 1 && g.stride == 1 && g.h % 2 == 0 && g.w % 2 == 0 && g.c % kLanes == 0 &&
      g.k % kLanes == 0 && g.n * g.h * g.w >= 256 && BandRows(g) > 0) {
    plan.method = Method::kWinograd;
    plan.partial_floats = 16 * g.k * g.c;
    plan.zeros = g.c;
    plan.groups = std::min(g.n, std::clamp<int64_t>((1 << 18) / plan.partial_floats, 2, 16));
    return plan;
  }
  plan.partial_floats = g.k * g.r * g.s * plan.padded_c;
  if (plan.method == Method::kPadded) plan.row_floats = (g.w + 2 * g.pad) * plan.padded_c;
  /* Many groups feed many workers, but each adds a pass over the partial sums. Large gradients are split over output
   * channels too and need few. A function of the sizes only: the groups fix the order of the sums. */
  constexpr int64_t kPartialFloats = 1 << 17;
  plan.groups = std::min(g.n, std::clamp<int64_t>(kPartialFloats / plan.partial_floats, 2, 32));
  return plan;
}

/* Adds one pixel: sum[v][o] += x[column + v] * dy[o] for the taps v in [kFirst, kLast]. */
template <int L, int S, int O, int kFirst, int kLast>
HAST_INLINE void Pixel(Vector<L> (&sum)[S][O], const float* x, int64_t x_step, const float* dy) {
  Vector<L> column[S];
#pragma GCC unroll 8
  for (int v = kFirst; v <= kLast; ++v) column[v] = HAST_VECTOR(L, x + (v - (S - 1) / 2) * x_step);
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
    const float value = dy[o];
#pragma GCC unroll 8
    for (int v = kFirst; v <= kLast; ++v) sum[v][o] += column[v] * value;
  }
}

/* partial[o][v][lane] += sums over the pixels of images [first, last) for kernel row u, O output channels from o_first
 * and the block of input channels at c_first. */
template <int L, int S, int D, int O>
HAST_INLINE void ColumnsTile(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                             int64_t last, int64_t u, int64_t o_first, int64_t c_first) {
  Vector<L> sum[S][O];
#pragma GCC unroll 8
  for (int v = 0; v < S; ++v) {
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o) sum[v][o] = Vector<L>{};
  }
  const int64_t c = g.c;
  const int64_t k = g.k;
  for (int64_t image = first; image < last; ++image) {
    for (int64_t i = 0; i < g.p; ++i) {
      const int64_t row = i * D + u - g.pad;
      if (row < 0 || row >= g.h) continue;
      const float* from = x + (image * g.h + row) * g.w * c + c_first;
      const float* gradient = dy + (image * g.p + i) * g.q * k + o_first;
      int64_t j = 0;
      int64_t end = g.q;
      if (S == 3) {
        Pixel<L, S, O, S == 3 ? 1 : 0, S - 1>(sum, from, c, gradient);
        from += D * c;
        gradient += k;
        j = 1;
        if (D == 1) end -= 1;
      }
      for (; j < end; ++j, from += D * c, gradient += k) Pixel<L, S, O, 0, S - 1>(sum, from, c, gradient);
      if (S == 3 && D == 1) Pixel<L, S, O, 0, S == 3 ? 1 : 0>(sum, from, c, gradient);
    }
  }
  float* target = partial + ((o_first * g.r + u) * S) * c + c_first;
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
    for (int v = 0; v < S; ++v) {
      *reinterpret_cast<Vector<L>*>(target + (o * g.r * S + v) * c) += sum[v][o];
    }
  }
}

/* Output channels [o_begin, o_end) of one group of images. */
template <int L, int S, int D, int O>
HAST_INLINE void ColumnsGroup(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t o_begin, int64_t o_end) {
  const int64_t o_floats = g.r * S * g.c;
  std::memset(partial + o_begin * o_floats, 0, (o_end - o_begin) * o_floats * sizeof(float));
  /* Images whose data stay in the near cache through the passes over kernel rows and channel blocks, but enough
   * pixels to hide the sums' way to memory. */
  constexpr int64_t kStepPixels = 256;
  const int64_t step = std::max<int64_t>(1, kStepPixels / (g.p * g.q));
  for (int64_t first = image_begin; first < image_end; first += step) {
    const int64_t last = std::min(first + step, image_end);
    for (int64_t c = 0; c < g.c; c += L) {
      for (int64_t u = 0; u < g.r; ++u) {
        int64_t o = o_begin;
        for (; o + O <= o_end; o += O) ColumnsTile<L, S, D, O>(g, partial, dy, x, first, last, u, o, c);
        if (o_end - o >= 4 && O > 4) {
          ColumnsTile<L, S, D, 4>(g, partial, dy, x, first, last, u, o, c);
          o += 4;
        }
        if (o_end - o == 3) {
          ColumnsTile<L, S, D, 3>(g, partial, dy, x, first, last, u, o, c);
          o += 3;
        }
        for (; o < o_end; ++o) ColumnsTile<L, S, D, 1>(g, partial, dy, x, first, last, u, o, c);
      }
    }
  }
}

/* U kernel rows from u of three input channels: 9 U sums of L output channels. Partial sums are [k / L][r][9][L]. */
template <int L, int U>
HAST_INLINE void StemGroup(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t o_begin, int64_t o_end) {
  constexpr int kTaps = 9;
  /* Input rows with a zero pixel on either side, kept for the kernel rows that meet them. */
  float padded[3][(kMaxStemWidth + 2) * 3];
  std::memset(padded, 0, sizeof(padded));
  const int64_t o_floats = g.r * kTaps;
  std::memset(partial + o_begin * o_floats, 0, (o_end - o_begin) * o_floats * sizeof(float));
  const int64_t row_bytes = g.w * 3 * sizeof(float);
  for (int64_t image = image_begin; image < image_end; ++image) {
    for (int64_t o = o_begin; o < o_end; o += L) {
      for (int64_t u = 0; u < 3; u += U) {
        Vector<L> sum[U][kTaps];
#pragma GCC unroll 8
        for (int d = 0; d < U; ++d) {
#pragma GCC unroll 16
          for (int e = 0; e < kTaps; ++e) sum[d][e] = Vector<L>{};
        }
        for (int64_t i = 0; i < g.p; ++i) {
          const float* rows[U];
          for (int64_t d = 0; d < U; ++d) {
            const int64_t row = i + u + d - 1;
            float* copy = padded[(row + 3) % 3];
            rows[d] = copy;
            if (d < U - 1 && i > 0) continue;
            if (row >= 0 && row < g.h) {
              std::memcpy(copy + 3, x + (image * g.h + row) * g.w * 3, row_bytes);
            } else {
              std::memset(copy + 3, 0, row_bytes);
            }
          }
          const float* gradient = dy + (image * g.p + i) * g.q * g.k + o;
          for (int64_t j = 0; j < g.q; ++j, gradient += g.k) {
            const Vector<L> value = HAST_VECTOR(L, gradient);
            /* Hidden from the compiler, which would carry the six values shared with the next pixel through the
             * stack: three times the instructions of loading them again as operands. */
            int64_t at = 3 * j;
            asm("" : "+r"(at));
#pragma GCC unroll 8
            for (int d = 0; d < U; ++d) {
#pragma GCC unroll 16
              for (int e = 0; e < kTaps; ++e) sum[d][e] += value * rows[d][at + e];
            }
          }
        }
        float* target = partial + o * o_floats + u * kTaps * L;
#pragma GCC unroll 8
        for (int d = 0; d < U; ++d) {
#pragma GCC unroll 16
          for (int e = 0; e < kTaps; ++e) *reinterpret_cast<Vector<L>*>(target + (d * kTaps + e) * L) += sum[d][e];
        }
      }
    }
  }
}

/* Any shape: kernel row u of one group of images. row holds one input row with its padding. */
template <int L, int O>
HAST_INLINE void PaddedTile(const Geometry& g, float* target, int64_t target_step, const float* row, int64_t row_step,
                            const float* dy) {
  Vector<L> sum[O];
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) sum[o] = Vector<L>{};
  for (int64_t j = 0; j < g.q; ++j, row += row_step, dy += g.k) {
    const Vector<L> value = HAST_VECTOR(L, row);
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o) sum[o] += value * dy[o];
  }
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) *reinterpret_cast<Vector<L>*>(target + o * target_step) += sum[o];
}

template <int L>
HAST_INLINE void PaddedGroup(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t u, int64_t padded_c, float* row) {
  const int64_t o_floats = g.r * g.s * padded_c;
  for (int64_t o = 0; o < g.k; ++o) {
    std::memset(partial + o * o_floats + u * g.s * padded_c, 0, g.s * padded_c * sizeof(float));
  }
  std::memset(row, 0, (g.w + 2 * g.pad) * padded_c * sizeof(float));
  for (int64_t image = image_begin; image < image_end; ++image) {
    for (int64_t i = 0; i < g.p; ++i) {
      const int64_t in_row = i * g.stride + u - g.pad;
      if (in_row < 0 || in_row >= g.h) continue;
      const float* from = x + (image * g.h + in_row) * g.w * g.c;
      for (int64_t j = 0; j < g.w; ++j) {
        std::memcpy(row + (j + g.pad) * padded_c, from + j * g.c, g.c * sizeof(float));
      }
      const float* gradient = dy + (image * g.p + i) * g.q * g.k;
      for (int64_t v = 0; v < g.s; ++v) {
        for (int64_t c = 0; c < g.c; c += L) {
          const float* column = row + v * padded_c + c;
          float* target = partial + (u * g.s + v) * padded_c + c;
          const int64_t step = g.stride * padded_c;
          int64_t o = 0;
          for (; o + 8 <= g.k; o += 8) {
            PaddedTile<L, 8>(g, target + o * o_floats, o_floats, column, step, gradient + o);
          }
          if (o + 4 <= g.k) {
            PaddedTile<L, 4>(g, target + o * o_floats, o_floats, column, step, gradient + o);
            o += 4;
          }
          for (; o < g.k; ++o) PaddedTile<L, 1>(g, target + o * o_floats, o_floats, column, step, gradient + o);
        }
      }
    }
  }
}

/* Winograd's F(2x2, 3x3), differentiated: with D a 4x4 tile of x and E its 2x2 tile of dy,
 *   dweight = G^T [ sum over tiles of (A E A^T) . (B^T D B) ] G.
 * A row of four frequencies needs one vertical sum only, so the frequencies of a group of images split into up to four
 * tasks at no cost but reading the tensors again. */

/* V [4][c / L][tiles][L] of one row of tiles: columns of first + sign * second, then the four horizontal sums. */
template <int L>
HAST_INLINE void InputFrequencies(float* v, int64_t frequency_step, const float* first, int64_t first_step,
                                  const float* second, int64_t second_step, float sign, int64_t tiles) {
  using V = Vector<L>;
  V a{};
  V b = HAST_VECTOR(L, first) + sign * HAST_VECTOR(L, second);
  for (int64_t tile = 0; tile < tiles; ++tile, v += L) {
    first += first_step;
    second += second_step;
    const V c = HAST_VECTOR(L, first) + sign * HAST_VECTOR(L, second);
    V d{};
    if (tile + 1 < tiles) {
      first += first_step;
      second += second_step;
      d = HAST_VECTOR(L, first) + sign * HAST_VECTOR(L, second);
    }
    *reinterpret_cast<V*>(v) = a - c;
    *reinterpret_cast<V*>(v + frequency_step) = b + c;
    *reinterpret_cast<V*>(v + 2 * frequency_step) = c - b;
    *reinterpret_cast<V*>(v + 3 * frequency_step) = b - d;
    a = c;
    b = d;
  }
}

/* The same of dy, [4][tiles][k]: columns of first + sign * second, or one row alone. */
template <int L>
HAST_INLINE void GradientFrequencies(float* e, int64_t frequency_step, const float* row, const float* next, int64_t k,
                                     int64_t frequency, int64_t tiles) {
  using V = Vector<L>;
  for (int64_t tile = 0; tile < tiles; ++tile, e += k, row += 2 * k, next += 2 * k) {
    V a, b;
    if (frequency == 0) {
      a = HAST_VECTOR(L, row);
      b = HAST_VECTOR(L, row + k);
    } else if (frequency == 1) {
      a = HAST_VECTOR(L, row) + HAST_VECTOR(L, next);
      b = HAST_VECTOR(L, row + k) + HAST_VECTOR(L, next + k);
    } else if (frequency == 2) {
      a = HAST_VECTOR(L, row) - HAST_VECTOR(L, next);
      b = HAST_VECTOR(L, row + k) - HAST_VECTOR(L, next + k);
    } else {
      a = -HAST_VECTOR(L, next);
      b = -HAST_VECTOR(L, next + k);
    }
    *reinterpret_cast<V*>(e) = a;
    *reinterpret_cast<V*>(e + frequency_step) = a + b;
    *reinterpret_cast<V*>(e + 2 * frequency_step) = a - b;
    *reinterpret_cast<V*>(e + 3 * frequency_step) = -b;
  }
}

/* partial[o][c] += sum over tiles of e[tile][o] v[tile][c] for O output channels and C blocks of input channels. */
template <int L, int O, int C>
HAST_INLINE void OuterTile(float* partial, int64_t c, const float* e, int64_t k, const float* v, int64_t v_block_step,
                           int64_t tiles) {
  using V = Vector<L>;
  V sum[O][C];
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
    for (int b = 0; b < C; ++b) sum[o][b] = V{};
  }
  for (int64_t tile = 0; tile < tiles; ++tile, e += k, v += L) {
    V column[C];
#pragma GCC unroll 8
    for (int b = 0; b < C; ++b) column[b] = HAST_VECTOR(L, v + b * v_block_step);
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o) {
      const float value = e[o];
#pragma GCC unroll 8
      for (int b = 0; b < C; ++b) sum[o][b] += column[b] * value;
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
    for (int b = 0; b < C; ++b) *reinterpret_cast<V*>(partial + o * c + b * L) += sum[o][b];
  }
}

/* One group of images and rows of frequencies [frequency_begin, frequency_end); partial is [16][k][c]. */
template <int L, int O, int C>
HAST_INLINE void WinogradGroup(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  const int64_t c = g.c;
  const int64_t k = g.k;
  const int64_t row_tiles = g.w / 2;
  const int64_t image_rows = g.h / 2;
  const int64_t band_rows = BandRows(g);
  std::memset(partial + 4 * frequency_begin * k * c, 0, 4 * (frequency_end - frequency_begin) * k * c * sizeof(float));
  const int64_t last = image_end * image_rows;
  for (int64_t begin = image_begin * image_rows; begin < last; begin += band_rows) {
    const int64_t end = std::min(begin + band_rows, last);
    const int64_t tiles = (end - begin) * row_tiles;
    float* v = scratch;
    float* e = v + 4 * tiles * c;
    for (int64_t frequency = frequency_begin; frequency < frequency_end; ++frequency) {
      const int64_t first_row = frequency == 0 ? -1 : frequency == 2 ? 1 : 0;
      const int64_t second_row = frequency == 2 ? 0 : frequency == 3 ? 2 : 1;
      const float sign = frequency == 1 ? 1.0f : -1.0f;
      for (int64_t row = begin; row < end; ++row) {
        const int64_t top = row % image_rows * 2;
        const float* image = x + row / image_rows * g.h * g.w * c;
        const bool first_inside = top + first_row >= 0;
        const bool second_inside = top + second_row < g.h;
        const int64_t tile = (row - begin) * row_tiles;
        for (int64_t block = 0; block < c; block += L) {
          InputFrequencies<L>(v + block * tiles + tile * L, tiles * c,
                              first_inside ? image + (top + first_row) * g.w * c + block : zeros, first_inside ? c : 0,
                              second_inside ? image + (top + second_row) * g.w * c + block : zeros,
                              second_inside ? c : 0, sign, row_tiles);
        }
        const float* gradient = dy + row * 2 * g.w * k;
        for (int64_t block = 0; block < k; block += L) {
          GradientFrequencies<L>(e + tile * k + block, tiles * k, gradient + block, gradient + g.w * k + block, k,
                                 frequency, row_tiles);
        }
      }
      /* The products leave the memory idle: fetch the next band beside them. */
      const int64_t next = std::min(band_rows, last - end) * 2 * g.w / 4;
      for (int64_t f = 0; f < 4; ++f) {
        if (frequency == frequency_begin) {
          const float* next_x = x + (end * 2 * g.w + f * next) * c;
          for (int64_t i = 0; i < next * c; i += 16) __builtin_prefetch(next_x + i, 0, 2);
          const float* next_dy = dy + (end * 2 * g.w + f * next) * k;
          for (int64_t i = 0; i < next * k; i += 16) __builtin_prefetch(next_dy + i, 0, 2);
        }
        for (int64_t block = 0; block < c; block += C * L) {
          for (int64_t o = 0; o < k; o += O) {
            OuterTile<L, O, C>(partial + ((4 * frequency + f) * k + o) * c + block, c, e + f * tiles * k + o, k,
                               v + f * tiles * c + block * tiles, tiles * L, tiles);
          }
        }
      }
    }
  }
}

/* dweight[o] from the frequencies of all groups, added in order. */
template <int L>
HAST_INLINE void WinogradReduce(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                int64_t o) {
  using V = Vector<L>;
  for (int64_t c = 0; c < g.c; c += L) {
    V half[4][3];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      V s[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const float* from = partial + ((4 * i + j) * g.k + o) * g.c + c;
        s[j] = HAST_VECTOR(L, from);
        for (int64_t group = 1; group < plan.groups; ++group) {
          s[j] += HAST_VECTOR(L, from + group * plan.partial_floats);
        }
      }
      half[i][0] = s[0] + 0.5f * (s[1] + s[2]);
      half[i][1] = 0.5f * (s[1] - s[2]);
      half[i][2] = 0.5f * (s[1] + s[2]) + s[3];
    }
    float* to = dweight + o * 9 * g.c + c;
#pragma GCC unroll 3
    for (int v = 0; v < 3; ++v) {
      *reinterpret_cast<V*>(to + v * g.c) = half[0][v] + 0.5f * (half[1][v] + half[2][v]);
      *reinterpret_cast<V*>(to + (3 + v) * g.c) = 0.5f * (half[1][v] - half[2][v]);
      *reinterpret_cast<V*>(to + (6 + v) * g.c) = 0.5f * (half[1][v] + half[2][v]) + half[3][v];
    }
  }
}

/* kColumns, kStem: output channels [begin, end). */
using GroupFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t begin, int64_t end);
using PaddedFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                                int64_t image_end, int64_t u, int64_t padded_c, float* row);

using WinogradGroupFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x,
                                       int64_t image_begin, int64_t image_end, int64_t frequency_begin,
                                       int64_t frequency_end, const float* zeros, float* scratch);
using WinogradReduceFunction = void (*)(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                        int64_t o);

template <int O, int C>
HAST_TARGET_V4 void WinogradV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  WinogradGroup<16, O, C>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
HAST_TARGET_V3 void WinogradV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  WinogradGroup<8, 4, 2>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
void WinogradBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                      int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                      float* scratch) {
  WinogradGroup<4, 4, 2>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
HAST_TARGET_V4 void WinogradReduceV4(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                     int64_t o) {
  WinogradReduce<16>(g, plan, dweight, partial, o);
}
HAST_TARGET_V3 void WinogradReduceV3(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                     int64_t o) {
  WinogradReduce<8>(g, plan, dweight, partial, o);
}
void WinogradReduceBaseline(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                            int64_t o) {
  WinogradReduce<4>(g, plan, dweight, partial, o);
}

template <int S, int D>
HAST_TARGET_V4 void ColumnsV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end) {
  ColumnsGroup<16, S, D, S == 1 ? 16 : 8>(g, partial, dy, x, image_begin, image_end, begin, end);
}
template <int S, int D>
HAST_TARGET_V3 void ColumnsV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end) {
  ColumnsGroup<8, S, D, 4>(g, partial, dy, x, image_begin, image_end, begin, end);
}
template <int S, int D>
void ColumnsBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                     int64_t image_end, int64_t begin, int64_t end) {
  ColumnsGroup<4, S, D, 4>(g, partial, dy, x, image_begin, image_end, begin, end);
}

HAST_TARGET_V4 void StemV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t begin, int64_t end) {
  StemGroup<16, 3>(g, partial, dy, x, image_begin, image_end, begin, end);
}
HAST_TARGET_V3 void StemV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t begin, int64_t end) {
  StemGroup<8, 1>(g, partial, dy, x, image_begin, image_end, begin, end);
}
void StemBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                  int64_t image_end, int64_t begin, int64_t end) {
  StemGroup<4, 1>(g, partial, dy, x, image_begin, image_end, begin, end);
}

HAST_TARGET_V4 void PaddedV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t u, int64_t padded_c, float* row) {
  PaddedGroup<16>(g, partial, dy, x, image_begin, image_end, u, padded_c, row);
}
HAST_TARGET_V3 void PaddedV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t u, int64_t padded_c, float* row) {
  PaddedGroup<8>(g, partial, dy, x, image_begin, image_end, u, padded_c, row);
}
void PaddedBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                    int64_t image_end, int64_t u, int64_t padded_c, float* row) {
  PaddedGroup<4>(g, partial, dy, x, image_begin, image_end, u, padded_c, row);
}

template <int S, int D>
GroupFunction ColumnsFunction() {
  return kIsa == Isa::kV4 ? ColumnsV4<S, D> : kIsa == Isa::kV3 ? ColumnsV3<S, D> : ColumnsBaseline<S, D>;
}

/* dweight[o] from the partial sums of all groups, in order. */
void Reduce(const Geometry& g, const WeightPlan& plan, int64_t lanes, float* dweight, const float* partial, int64_t o) {
  if (plan.method == Method::kStem) {
    const int64_t taps = g.r * 9;
    for (int64_t e = 0; e < taps; ++e) {
      float sum = 0.0f;
      for (int64_t group = 0; group < plan.groups; ++group) {
        sum += partial[group * plan.partial_floats + o / lanes * lanes * taps + e * lanes + o % lanes];
      }
      dweight[o * taps + e] = sum;
    }
    return;
  }
  for (int64_t tap = 0; tap < g.r * g.s; ++tap) {
    const float* from = partial + (o * g.r * g.s + tap) * plan.padded_c;
    float* to = dweight + (o * g.r * g.s + tap) * g.c;
    std::memcpy(to, from, g.c * sizeof(float));
    for (int64_t group = 1; group < plan.groups; ++group) {
      const float* more = from + group * plan.partial_floats;
      for (int64_t c = 0; c < g.c; ++c) to[c] += more[c];
    }
  }
}

}  // namespace

int64_t BackwardWeightWorkspaceBytes(const Geometry& g) {
  const WeightPlan plan = PlanOf(g);
  return kAlignment + 4 * (plan.groups * (plan.partial_floats + g.r * plan.row_floats) + plan.zeros);
}

}  // namespace hast::conv

using namespace hast::conv;

int32_t hast_conv2d_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                   int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                   int64_t r, int64_t s, int32_t stride, int32_t pad, void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, stride, pad);
  if (dweight == nullptr || dy == nullptr || x == nullptr || stream == nullptr || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < BackwardWeightWorkspaceBytes(g)) return HAST_EWORKSPACE;
  const WeightPlan plan = PlanOf(g);
  float* partial = Align(workspace);
  float* rows = partial + plan.groups * plan.partial_floats;
  const int64_t lanes = LanesOf(kIsa);
  const auto first_image = [&](int64_t group) { return group * n / plan.groups; };

  constexpr int64_t kSerialFloats = 1 << 15;

  if (plan.method == Method::kWinograd) {
    float* zeros = partial + plan.groups * plan.partial_floats;
    std::memset(zeros, 0, c * sizeof(float));
    const WinogradGroupFunction group_function = kIsa == Isa::kV3         ? WinogradV3
                                                 : kIsa == Isa::kBaseline ? WinogradBaseline
                                                 : c % 32 == 0            ? WinogradV4<8, 2>
                                                                          : WinogradV4<16, 1>;
    const int64_t pieces = plan.groups >= 16 ? 1 : plan.groups >= 4 ? 2 : 4;
    hast::parallel_for(stream, plan.groups * pieces, [&](int64_t task, int32_t) {
      const int64_t group = task / pieces;
      const int64_t frequency = task % pieces * 4 / pieces;
      group_function(g, partial + group * plan.partial_floats, dy, x, first_image(group), first_image(group + 1),
                     frequency, frequency + 4 / pieces, zeros, Scratch());
    });
    const WinogradReduceFunction reduce_function = kIsa == Isa::kV4   ? WinogradReduceV4
                                                   : kIsa == Isa::kV3 ? WinogradReduceV3
                                                                      : WinogradReduceBaseline;
    const auto reduce = [&](int64_t o, int32_t) { reduce_function(g, plan, dweight, partial, o); };
    if (plan.groups * plan.partial_floats <= kSerialFloats) {
      for (int64_t o = 0; o < k; ++o) reduce(o, 0);
    } else {
      hast::parallel_for(stream, k, reduce);
    }
    return HAST_OK;
  }

  if (plan.method == Method::kPadded) {
    const PaddedFunction function = kIsa == Isa::kV4 ? PaddedV4 : kIsa == Isa::kV3 ? PaddedV3 : PaddedBaseline;
    hast::parallel_for(stream, plan.groups * r, [&](int64_t task, int32_t) {
      const int64_t group = task / r;
      function(g, partial + group * plan.partial_floats, dy, x, first_image(group), first_image(group + 1), task % r,
               plan.padded_c, rows + task * plan.row_floats);
    });
  } else {
    GroupFunction function;
    if (plan.method == Method::kStem) {
      function = kIsa == Isa::kV4 ? StemV4 : kIsa == Isa::kV3 ? StemV3 : StemBaseline;
    } else if (s == 3) {
      function = stride == 1 ? ColumnsFunction<3, 1>() : ColumnsFunction<3, 2>();
    } else {
      function = stride == 1 ? ColumnsFunction<1, 1>() : ColumnsFunction<1, 2>();
    }
    const int64_t pieces = CeilDiv(k, kLanes);
    hast::parallel_for(stream, plan.groups * pieces, [&](int64_t task, int32_t) {
      const int64_t group = task / pieces;
      const int64_t o = task % pieces * kLanes;
      function(g, partial + group * plan.partial_floats, dy, x, first_image(group), first_image(group + 1), o,
               std::min(o + kLanes, k));
    });
  }
  const auto reduce = [&](int64_t o, int32_t) { Reduce(g, plan, lanes, dweight, partial, o); };
  if (plan.groups * plan.partial_floats <= kSerialFloats) {
    for (int64_t o = 0; o < k; ++o) reduce(o, 0);
  } else {
    hast::parallel_for(stream, k, reduce);
  }
  return HAST_OK;
}

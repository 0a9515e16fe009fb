/* The loop shared by convolution forward and data gradient: every output pixel is a sum over taps of a small matrix
 * product between the channels of an input pixel and packed weights.
 *
 *   forward     out[i, j] = bias + sum over u, v of in[i stride + u - pad, j stride + v - pad] . weight[u, v]
 *   transposed  out[i, j] = sum over u, v, a, b with a stride + u - pad = i, b stride + v - pad = j
 *                           of in[a, b] . weight[u, v]^T
 *
 * Packed weights are [block][u][input channel][v][lane], so a tile streams them front to back and finds the s columns
 * of a kernel row beside each other. Three ways through:
 *  - Rows: a tile of P neighbouring pixels of one output row times B blocks of channels lives in registers; one input
 *    value, broadcast once, serves every column tap that reads it (three multiply-adds per load for a 3x3 kernel), and
 *    the edge tiles are compiled without the taps that fall into the padding. No padded copy, no branch inside.
 *  - Narrow, for at most five output channels: the taps of a kernel row become extra output channels (3 x 3 = 9 of 16
 *    lanes used rather than 3), and a second step adds the three shifted results.
 *  - Points: any kernel, stride, padding and size; eight output pixels, each with its own pointer, which points to
 *    zeros where the tap falls into the padding.
 * Each output value is one sum in an order fixed by the shape, whatever the number of workers. */
#ifndef HAST_CONV2D_SWEEP_H
#define HAST_CONV2D_SWEEP_H

#include <algorithm>
#include <type_traits>

#include "conv2d_common.h"
#include "conv2d_winograd.h"
#include "parallel.h"

namespace hast::conv {

enum class Direction { kForward, kTransposed };

struct Sweep {
  const float* in;
  float* out;
  const float* packed; /* [blocks of lanes][r][in_c][s][lanes]; narrow: [r][in_c][16 of v * out_c + o] */
  const float* bias;   /* padded to whole blocks; NULL: zero */
  const float* zeros;  /* in_c of them */
  int64_t n, in_h, in_w, in_c, out_h, out_w, out_c;
  int64_t r, s, stride, pad;
  bool accumulate;
};

/* Output rows [row_begin, row_end) of one image. */
using BandFunction = void (*)(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end);

/* The output pixel of a row tile that input column q feeds through tap v, or -1. Columns count from the tile's first
 * aligned input column. */
template <Direction kDir, int S, int D, int P>
constexpr int Target(int q, int v) {
  constexpr int pad = (S - 1) / 2;
  int p;
  if (kDir == Direction::kForward) {
    const int reach = q + pad - v;
    if (reach < 0 || reach % D != 0) return -1;
    p = reach / D;
  } else {
    p = D * q + v - pad;
  }
  return p >= 0 && p < P ? p : -1;
}

/* Input columns [kFirst, kLast] that a tile of P pixels touches; an edge tile drops those outside the image. */
template <Direction kDir, int S, int D, int P, bool kLeft, bool kRight>
struct Columns {
  static constexpr int pad = (S - 1) / 2;
  static constexpr int kInside = kDir == Direction::kForward ? P * D : P / D;
  static constexpr int kFirst = kLeft || (kDir == Direction::kTransposed && D > 1) ? 0 : -pad;
  static constexpr int kReach = kDir == Direction::kForward ? (P - 1) * D + S - 1 - pad : (P - 1 + pad) / D;
  static constexpr int kLast = kRight && kReach >= kInside ? kInside - 1 : kReach;
};

/* Writes the sums of P pixels, `lanes` channels each. What does not fill whole vectors or adds to the output goes
 * through the stack: unrolled, its branches would be most of the code. */
template <int L, int P, int B, class Address>
HAST_INLINE void StoreTile(const Vector<L> (&sum)[B][P], int64_t pixels, int64_t lanes, bool accumulate,
                           const Address& address) {
  using V = Vector<L>;
  if (pixels == P && lanes >= B * L && !accumulate) {
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) *reinterpret_cast<V*>(address(p) + b * L) = sum[b][p];
    }
    return;
  }
  alignas(64) float buffer[P][B * L];
#pragma GCC unroll 32
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 8
    for (int b = 0; b < B; ++b) *reinterpret_cast<V*>(buffer[p] + b * L) = sum[b][p];
  }
  for (int64_t p = 0; p < pixels; ++p) {
    float* out = address(p);
    int64_t l = 0;
    for (; l + L <= std::min<int64_t>(lanes, B * L); l += L) {
      V* target = reinterpret_cast<V*>(out + l);
      *target = accumulate ? *target + HAST_VECTOR(L, buffer[p] + l) : HAST_VECTOR(L, buffer[p] + l);
    }
    for (; l < std::min<int64_t>(lanes, B * L); ++l) out[l] = accumulate ? out[l] + buffer[p][l] : buffer[p][l];
  }
}

/* One tile: P pixels x B blocks. rows[t] is the aligned input column of the tile in input row t, weights[t] the packed
 * kernel row that meets it.  */
template <int L, Direction kDir, int S, int D, int P, int B, bool kLeft, bool kRight>
HAST_INLINE void RowTile(float* out, int64_t out_step, int64_t lanes, bool accumulate, const float* const* rows,
                         const float* const* weights, int64_t row_count, int64_t in_c, int64_t block_step,
                         const float* bias) {
  using V = Vector<L>;
  using Cols = Columns<kDir, S, D, P, kLeft, kRight>;
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
          const int p = Target<kDir, S, D, P>(q, v);
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
      row = i * sweep.stride + u - sweep.pad;
    } else {
      row = i + sweep.pad - u;
      if (row % sweep.stride != 0) continue;
      row /= sweep.stride;
    }
    if (row < 0 || row >= sweep.in_h) continue;
    rows[count] = image + row * sweep.in_w * sweep.in_c;
    weights[count] = packed + u * kernel_row_step;
    ++count;
  }
  return count;
}

template <int L, Direction kDir, int S, int D, int P, int B>
HAST_INLINE void RowBand(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  const int64_t in_c = sweep.in_c;
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * in_c;
  const int64_t block_step = sweep.r * in_c * S * L;
  const int64_t step = Columns<kDir, S, D, P, false, false>::kInside * in_c;
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
          RowTile<L, kDir, S, D, P, B, left.value, right.value>(out, sweep.out_c, sweep.out_c - o, sweep.accumulate,
                                                                rows, weights, count, in_c, block_step, bias);
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
      RowTile<L, Direction::kForward, 1, 1, P, B, false, false>(taps + (j + 1) * kLanes, kLanes, kLanes, false, rows,
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

/* Eight output pixels anywhere in one image that share their taps: rows first_row[p] + t * sign for kernel rows
 * u_first + t * tap_step, columns likewise. */
inline constexpr int kPoints = 8;
struct Points {
  float* out[kPoints];
  int64_t row[kPoints], column[kPoints];
  int64_t count;
  int64_t u_first, v_first, tap_step;
  int64_t sign;
};

template <int L, int B>
HAST_INLINE void PointTile(const Sweep& sweep, const float* image, const Points& points, int64_t o) {
  using V = Vector<L>;
  const int64_t block_step = sweep.r * sweep.in_c * sweep.s * L;
  const float* packed = sweep.packed + o / L * block_step;
  V sum[B][kPoints];
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b) {
    const V start = sweep.bias == nullptr ? V{} : HAST_VECTOR(L, sweep.bias + o + b * L);
#pragma GCC unroll 8
    for (int p = 0; p < kPoints; ++p) sum[b][p] = start;
  }
  for (int64_t u = points.u_first, du = 0; u < sweep.r; u += points.tap_step, du += points.sign) {
    for (int64_t v = points.v_first, dv = 0; v < sweep.s; v += points.tap_step, dv += points.sign) {
      const float* x[kPoints];
      bool any = false;
#pragma GCC unroll 8
      for (int p = 0; p < kPoints; ++p) {
        const int64_t row = points.row[p] + du;
        const int64_t column = points.column[p] + dv;
        const bool inside = static_cast<uint64_t>(row) < static_cast<uint64_t>(sweep.in_h) &&
                            static_cast<uint64_t>(column) < static_cast<uint64_t>(sweep.in_w);
        any |= inside;
        x[p] = inside ? image + (row * sweep.in_w + column) * sweep.in_c : sweep.zeros;
      }
      if (!any) continue;
      const float* weight = packed + (u * sweep.in_c * sweep.s + v) * L;
      const int64_t weight_step = sweep.s * L;
      for (int64_t c = 0; c < sweep.in_c; ++c, weight += weight_step) {
        V tap[B];
#pragma GCC unroll 8
        for (int b = 0; b < B; ++b) tap[b] = HAST_VECTOR(L, weight + b * block_step);
#pragma GCC unroll 8
        for (int p = 0; p < kPoints; ++p) {
          const float value = x[p][c];
#pragma GCC unroll 8
          for (int b = 0; b < B; ++b) sum[b][p] += tap[b] * value;
        }
      }
    }
  }
  StoreTile<L, kPoints, B>(sum, points.count, sweep.out_c - o, sweep.accumulate,
                           [&](int64_t p) HAST_LAMBDA { return points.out[p] + o; });
}

template <int L, int B>
HAST_INLINE void PointTiles(const Sweep& sweep, const float* image, Points& points) {
  if (points.count == 0) return;
  /* Unused pixels read zeros. */
  for (int64_t p = points.count; p < kPoints; ++p) points.row[p] = points.column[p] = INT64_MIN / 2;
  int64_t o = 0;
  for (; o + (B - 1) * L < sweep.out_c; o += B * L) PointTile<L, B>(sweep, image, points, o);
  for (; o < sweep.out_c; o += L) PointTile<L, 1>(sweep, image, points, o);
  points.count = 0;
}

template <int L, Direction kDir, int B>
HAST_INLINE void PointBand(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * sweep.in_c;
  float* out = sweep.out + image * sweep.out_h * sweep.out_w * sweep.out_c;
  Points points;
  points.count = 0;
  if (kDir == Direction::kForward) {
    points.u_first = points.v_first = 0;
    points.tap_step = 1;
    points.sign = 1;
    for (int64_t i = row_begin; i < row_end; ++i) {
      for (int64_t j = 0; j < sweep.out_w; ++j) {
        points.out[points.count] = out + (i * sweep.out_w + j) * sweep.out_c;
        points.row[points.count] = i * sweep.stride - sweep.pad;
        points.column[points.count] = j * sweep.stride - sweep.pad;
        if (++points.count == kPoints) PointTiles<L, B>(sweep, in, points);
      }
    }
    PointTiles<L, B>(sweep, in, points);
    return;
  }
  points.tap_step = sweep.stride;
  points.sign = -1;
  for (int64_t i = row_begin; i < row_end; ++i) {
    points.u_first = (i + sweep.pad) % sweep.stride;
    for (int64_t j0 = 0; j0 < std::min(sweep.stride, sweep.out_w); ++j0) {
      points.v_first = (j0 + sweep.pad) % sweep.stride;
      for (int64_t j = j0; j < sweep.out_w; j += sweep.stride) {
        points.out[points.count] = out + (i * sweep.out_w + j) * sweep.out_c;
        points.row[points.count] = (i + sweep.pad) / sweep.stride;
        points.column[points.count] = (j + sweep.pad) / sweep.stride;
        if (++points.count == kPoints) PointTiles<L, B>(sweep, in, points);
      }
      PointTiles<L, B>(sweep, in, points);
    }
  }
}

template <Direction kDir, int S, int D, int P, int B>
HAST_TARGET_V4 void RowBandV4(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<16, kDir, S, D, P, B>(sweep, image, row_begin, row_end);
}
template <Direction kDir, int S, int D>
HAST_TARGET_V3 void RowBandV3(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<8, kDir, S, D, 8, 1>(sweep, image, row_begin, row_end);
}
template <Direction kDir, int S, int D>
void RowBandBaseline(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  RowBand<4, kDir, S, D, 8, 1>(sweep, image, row_begin, row_end);
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

template <Direction kDir>
HAST_TARGET_V4 void PointBandV4(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  PointBand<16, kDir, 2>(sweep, image, row_begin, row_end);
}
template <Direction kDir>
HAST_TARGET_V3 void PointBandV3(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  PointBand<8, kDir, 1>(sweep, image, row_begin, row_end);
}
template <Direction kDir>
void PointBandBaseline(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  PointBand<4, kDir, 1>(sweep, image, row_begin, row_end);
}

/* What runs a sweep, and the layout of the packed weights it wants. */
struct Plan {
  BandFunction band;
  int64_t lanes;
  bool narrow;
};

template <Direction kDir, int S, int D>
BandFunction RowFunction(const Sweep& sweep) {
  if (kIsa == Isa::kV3) return RowBandV3<kDir, S, D>;
  if (kIsa == Isa::kBaseline) return RowBandBaseline<kDir, S, D>;
  if (CeilDiv(sweep.out_c, 16) % 2 == 0) return RowBandV4<kDir, S, D, 8, 2>;
  if (sweep.out_w % 16 == 0) return RowBandV4<kDir, S, D, 16, 1>;
  return RowBandV4<kDir, S, D, 8, 1>;
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

template <Direction kDir>
Plan PlanOf(const Sweep& sweep) {
  Plan plan{nullptr, 4, false};
  plan.lanes = LanesOf(kIsa);
  const int64_t wide = kDir == Direction::kForward ? sweep.in_w : sweep.out_w;
  const int64_t small = kDir == Direction::kForward ? sweep.out_w : sweep.in_w;
  const bool rows = sweep.r <= kMaxKernelRows && sweep.out_w % 8 == 0 && wide == small * sweep.stride;
  const bool three = rows && sweep.s == 3 && sweep.pad == 1;
  if (three && sweep.stride == 1 && sweep.out_c <= 5 && sweep.out_w % 16 == 0 && sweep.out_w <= kMaxNarrowWidth) {
    plan.band = NarrowFunction<kDir>(sweep);
    plan.narrow = true;
  }
  if (plan.band == nullptr && three && sweep.stride == 1) plan.band = RowFunction<kDir, 3, 1>(sweep);
  if (plan.band == nullptr && three && sweep.stride == 2) plan.band = RowFunction<kDir, 3, 2>(sweep);
  if (plan.band == nullptr && rows && sweep.s == 1 && sweep.pad == 0) {
    if (sweep.stride == 1) plan.band = RowFunction<kDir, 1, 1>(sweep);
    if (sweep.stride == 2) plan.band = RowFunction<kDir, 1, 2>(sweep);
  }
  if (plan.band == nullptr) {
    plan.band = kIsa == Isa::kV4 ? PointBandV4<kDir> : kIsa == Isa::kV3 ? PointBandV3<kDir> : PointBandBaseline<kDir>;
  }
  return plan;
}

/* Floats of packed weights, padded bias and zeros for a sweep from in_c to out_c channels. */
inline int64_t PackedFloats(int64_t in_c, int64_t out_c, int64_t r, int64_t s) {
  return RoundUp(out_c, kLanes) * r * s * in_c;
}
inline int64_t SweepBytes(int64_t in_c, int64_t out_c, int64_t r, int64_t s) {
  return kAlignment + 4 * (PackedFloats(in_c, out_c, r, s) + RoundUp(out_c, kLanes) + RoundUp(in_c, kLanes));
}

/* Packs weight [k, r, s, c] for the plan; one call packs kernel row u of one block. */
template <Direction kDir>
inline void PackKernelRow(const Plan& plan, const Sweep& sweep, const float* weight, float* packed, int64_t block,
                          int64_t u) {
  const int64_t lanes = plan.lanes;
  const int64_t in_c = sweep.in_c;
  const int64_t out_c = sweep.out_c;
  const int64_t r = sweep.r;
  const int64_t s = sweep.s;
  /* weight[o][u][v][i] forward, weight[i][u][v][o] transposed */
  const int64_t in_step = kDir == Direction::kForward ? 1 : r * s * out_c;
  const int64_t out_step = kDir == Direction::kForward ? r * s * in_c : 1;
  const int64_t tap_step = kDir == Direction::kForward ? in_c : out_c;
  const float* source = weight + u * s * tap_step;
  if (plan.narrow) {
    float* target = packed + (block * r + u) * in_c * lanes;
    for (int64_t i = 0; i < in_c; ++i, target += lanes) {
      for (int64_t l = 0; l < lanes; ++l) {
        const int64_t slot = (block * lanes + l) / out_c;
        const int64_t o = (block * lanes + l) % out_c;
        const int64_t v = kDir == Direction::kForward ? slot : s - 1 - slot;
        target[l] = slot < s ? source[v * tap_step + o * out_step + i * in_step] : 0.0f;
      }
    }
    return;
  }
  float* target = packed + (block * r + u) * in_c * s * lanes;
  const int64_t o_first = block * lanes;
  const int64_t filled = std::min(lanes, out_c - o_first);
  for (int64_t i = 0; i < in_c; ++i) {
    for (int64_t v = 0; v < s; ++v, target += lanes) {
      const float* from = source + v * tap_step + o_first * out_step + i * in_step;
      int64_t l = 0;
      for (; l < filled; ++l) target[l] = from[l * out_step];
      for (; l < lanes; ++l) target[l] = 0.0f;
    }
  }
}

/* Runs a sweep whose tensors and sizes are filled in; the workspace holds SweepBytes. */
template <Direction kDir>
inline void RunSweep(Sweep& sweep, const float* weight, const float* bias, void* workspace, void* stream) {
  if (WinogradFits(sweep.n, sweep.in_h, sweep.in_w, sweep.in_c, sweep.out_c, sweep.r, sweep.s, sweep.stride,
                   sweep.pad)) {
    Winograd winograd{};
    winograd.in = sweep.in;
    winograd.out = sweep.out;
    winograd.bias = bias;
    winograd.n = sweep.n;
    winograd.h = sweep.in_h;
    winograd.w = sweep.in_w;
    winograd.in_c = sweep.in_c;
    winograd.out_c = sweep.out_c;
    winograd.accumulate = sweep.accumulate;
    RunWinograd<kDir == Direction::kTransposed>(winograd, weight, workspace, stream);
    return;
  }
  const Plan plan = PlanOf<kDir>(sweep);
  float* packed = Align(workspace);
  float* padded_bias = packed + PackedFloats(sweep.in_c, sweep.out_c, sweep.r, sweep.s);
  float* zeros = padded_bias + RoundUp(sweep.out_c, kLanes);
  std::memset(zeros, 0, sweep.in_c * sizeof(float));
  if (bias != nullptr) {
    std::memset(padded_bias, 0, RoundUp(sweep.out_c, kLanes) * sizeof(float));
    std::memcpy(padded_bias, bias, sweep.out_c * sizeof(float));
  }
  sweep.packed = packed;
  sweep.bias = bias == nullptr ? nullptr : padded_bias;
  sweep.zeros = zeros;

  const int64_t blocks = plan.narrow ? kLanes / plan.lanes : RoundUp(sweep.out_c, kLanes) / plan.lanes;
  const int64_t pieces = blocks * sweep.r;
  /* Below this, waking the workers costs more than the packing. */
  constexpr int64_t kSerialFloats = 8192;
  if (PackedFloats(sweep.in_c, sweep.out_c, sweep.r, sweep.s) <= kSerialFloats) {
    for (int64_t piece = 0; piece < pieces; ++piece) {
      PackKernelRow<kDir>(plan, sweep, weight, packed, piece / sweep.r, piece % sweep.r);
    }
  } else {
    parallel_for(stream, pieces, [&](int64_t piece, int32_t) {
      PackKernelRow<kDir>(plan, sweep, weight, packed, piece / sweep.r, piece % sweep.r);
    });
  }

  /* Bands of about kBandProducts multiply-adds, whole images where they are small enough. */
  constexpr int64_t kBandProducts = 1 << 21;
  const int64_t row_products =
      std::max<int64_t>(1, sweep.out_w * sweep.out_c * sweep.in_c * sweep.r * sweep.s /
                               (kDir == Direction::kForward ? 1 : sweep.stride * sweep.stride));
  int64_t band_rows = std::clamp<int64_t>(kBandProducts / row_products, 1, sweep.out_h);
  if (band_rows * 2 > sweep.out_h && band_rows < sweep.out_h) band_rows = CeilDiv(sweep.out_h, 2);
  const int64_t bands = CeilDiv(sweep.out_h, band_rows);
  parallel_for(stream, sweep.n * bands, [&](int64_t task, int32_t) {
    const int64_t row_begin = task % bands * band_rows;
    plan.band(sweep, task / bands, row_begin, std::min(row_begin + band_rows, sweep.out_h));
  });
}

}  // namespace hast::conv

#endif

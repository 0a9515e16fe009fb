/* The weight gradient of any shape and of groups, from copies of input rows: conv2d_bwd_weight.cpp has what they are.
 */
#ifndef HAST_CONV2D_BWD_WEIGHT_ANY_H
#define HAST_CONV2D_BWD_WEIGHT_ANY_H

#include "conv2d_bwd_weight.h"

namespace hast::conv {

/* What a tile of kPadded goes through: the outputs of a row, and the pixels of a padded input row that they meet. */
struct PaddedRow {
  const float* dy;
  const float* x; /* of the first output */
  int64_t q, dy_step, x_step;
};

/* target[o][v] += sum over a row of dy[o] x[v] for O neighbouring output channels and V taps, tap_step apart. */
template <int L, int O, int V>
HAST_INLINE void PaddedTile(float* target, int64_t o_step, int64_t v_step, const PaddedRow& line, int64_t tap_step) {
  Vector<L> sum[O][V];
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[o][v] = Vector<L>{};
  }
  const float* x = line.x;
  const float* dy = line.dy;
  for (int64_t j = 0; j < line.q; ++j, x += line.x_step, dy += line.dy_step) {
    Vector<L> value[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) value[v] = HAST_VECTOR(L, x + v * tap_step);
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[o][v] += value[v] * dy[o];
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) *reinterpret_cast<Vector<L>*>(target + o * o_step + v * v_step) += sum[o][v];
  }
}

/* Any shape: kernel row u of one part of images. row holds one input row with its padding. */
template <int L>
HAST_INLINE void PaddedPart(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy, const float* x,
                            int64_t image_begin, int64_t image_end, int64_t u, float* row) {
  const int64_t v_step = plan.padded_c;
  const int64_t o_step = g.r * g.s * v_step;
  const int64_t pixel = plan.pixel_floats;
  const int64_t tap_step = g.dilation_w * pixel;
  for (int64_t o = 0; o < g.k; ++o) {
    std::memset(partial + o * o_step + u * g.s * v_step, 0, g.s * v_step * sizeof(float));
  }
  std::memset(row, 0, plan.row_floats * sizeof(float));
  for (int64_t image = image_begin; image < image_end; ++image) {
    for (int64_t i = 0; i < g.p; ++i) {
      const int64_t in_row = i * g.stride_h + u * g.dilation_h - g.top;
      if (in_row < 0 || in_row >= g.h) continue;
      const float* from = x + (image * g.h + in_row) * g.w * g.c;
      for (int64_t j = 0; j < g.w; ++j) {
        std::memcpy(row + (j + g.left) * pixel, from + j * g.c, g.c * sizeof(float));
      }
      const float* gradient = dy + (image * g.p + i) * g.q * g.k;
      for (int64_t group = 0; group < g.groups; ++group) {
        const int64_t first = group * g.group_k();
        const int64_t last = first + g.group_k();
        for (int64_t c = 0; c < g.group_c(); c += L) {
          PaddedRow line{gradient, row + group * g.group_c() + c, g.q, g.k, g.stride_w * pixel};
          const float* column = line.x;
          float* tap = partial + u * g.s * v_step + c;
          int64_t rest = first;
          for (int64_t v = 0; v < g.s; ++v) {
            int64_t o = first;
            line.x = column + v * tap_step;
            for (; o + 8 <= last; o += 8) {
              line.dy = gradient + o;
              PaddedTile<L, 8, 1>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
            }
            if (o + 4 <= last) {
              line.dy = gradient + o;
              PaddedTile<L, 4, 1>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
              o += 4;
            }
            rest = o;
          }
          /* Outputs fewer than four: taps beside each other, or each sum would wait for itself. */
          for (int64_t o = rest; o < last; ++o) {
            line.dy = gradient + o;
            int64_t v = 0;
            for (; v + 4 <= g.s; v += 4) {
              line.x = column + v * tap_step;
              PaddedTile<L, 1, 4>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
            }
            line.x = column + v * tap_step;
            float* target = tap + o * o_step + v * v_step;
            if (g.s - v == 3) PaddedTile<L, 1, 3>(target, o_step, v_step, line, tap_step);
            if (g.s - v == 2) PaddedTile<L, 1, 2>(target, o_step, v_step, line, tap_step);
            if (g.s - v == 1) PaddedTile<L, 1, 1>(target, o_step, v_step, line, tap_step);
          }
        }
      }
    }
  }
}

/* Output channels [o, o + L) of one part of images, partial[o / L][r][s][group_c][L]: rows of x are spread as for the
 * forward map, so that a vector has outputs of several groups beside what each meets. */
template <int L>
HAST_INLINE void SpreadPart(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                            int64_t image_end, int64_t o) {
  using V = Vector<L>;
  constexpr int64_t kMostKept = 16;
  const int64_t group_c = g.group_c();
  const int64_t row_floats = g.w * group_c * L;
  const int64_t lanes = std::min<int64_t>(L, g.k - o);
  float* gradient = Scratch();
  float* rows = gradient + g.q * L;
  const int64_t kept = std::min(kMostKept, (kScratchFloats - g.q * L) / row_floats);
  int64_t kept_row[kMostKept];
  int64_t channel[L];
  for (int64_t l = 0; l < L; ++l) channel[l] = (o + std::min(l, lanes - 1)) / g.group_k() * group_c;
  partial += o * g.r * g.s * group_c;
  std::memset(partial, 0, g.r * g.s * group_c * L * sizeof(float));
  for (int64_t image = image_begin; image < image_end; ++image) {
    for (int64_t slot = 0; slot < kept; ++slot) kept_row[slot] = -1;
    for (int64_t i = 0; i < g.p; ++i) {
      const float* from = dy + (image * g.p + i) * g.q * g.k + o;
      for (int64_t j = 0; j < g.q; ++j) {
        for (int64_t l = 0; l < L; ++l) gradient[j * L + l] = l < lanes ? from[j * g.k + l] : 0.0f;
      }
      for (int64_t u = 0; u < g.r; ++u) {
        const int64_t in_row = i * g.stride_h + u * g.dilation_h - g.top;
        if (in_row < 0 || in_row >= g.h) continue;
        float* row = rows + in_row % kept * row_floats;
        if (kept_row[in_row % kept] != in_row) {
          kept_row[in_row % kept] = in_row;
          SpreadPixels<L>(row, x + (image * g.h + in_row) * g.w * g.c, g.c, g.w, group_c, channel);
        }
        for (int64_t v = 0; v < g.s; ++v) {
          const int64_t first = v * g.dilation_w - g.left; /* column of output 0 */
          const int64_t begin = CeilDiv(std::max<int64_t>(0, -first), g.stride_w);
          const int64_t end = std::min(g.q, CeilDiv(std::max<int64_t>(0, g.w - first), g.stride_w));
          const int64_t step = g.stride_w * group_c * L;
          for (int64_t c = 0; c < group_c; ++c) {
            const float* at = row + (begin * g.stride_w + first) * group_c * L + c * L;
            /* One sum would wait for itself. */
            V sum[4] = {};
            int64_t j = begin;
            for (; j + 4 <= end; j += 4, at += 4 * step) {
#pragma GCC unroll 4
              for (int k = 0; k < 4; ++k) {
                sum[k] += HAST_VECTOR(L, gradient + (j + k) * L) * HAST_VECTOR(L, at + k * step);
              }
            }
            for (; j < end; ++j, at += step) sum[0] += HAST_VECTOR(L, gradient + j * L) * HAST_VECTOR(L, at);
            *reinterpret_cast<V*>(partial + ((u * g.s + v) * group_c + c) * L) += (sum[0] + sum[1]) + (sum[2] + sum[3]);
          }
        }
      }
    }
  }
}

}  // namespace hast::conv

#endif

// The weight gradient of any shape and of groups, from copies of input rows: conv2d_bwd_weight.cpp has what they are.
#ifndef HAST_CONV2D_BWD_WEIGHT_ANY_H
#define HAST_CONV2D_BWD_WEIGHT_ANY_H

#include "conv2d_bwd_weight.h"

namespace hast::conv {

// What a tile of kPadded goes through: the outputs of a row, and the pixels of a padded input row that they meet.
struct PaddedRow {
  const float* dy;
  const float* x;  // of the first output
  int64_t q, dy_step, x_step;
};

// target[o][v] += sum over a row of dy[o] x[v] for kOutputs neighbouring output channels and kTaps taps, tap_step
// apart.
template <int kWidth, int kOutputs, int kTaps>
HAST_INLINE void padded_tile(float* target, int64_t o_step, int64_t v_step, const PaddedRow& line, int64_t tap_step) {
  Vector<kWidth> sum[kOutputs][kTaps];
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
    for (int v = 0; v < kTaps; v++) sum[o][v] = Vector<kWidth>{};
  }
  const float* x = line.x;
  const float* dy = line.dy;
  for (int64_t j = 0; j < line.q; j++, x += line.x_step, dy += line.dy_step) {
    Vector<kWidth> value[kTaps];
#pragma GCC unroll 8
    for (int v = 0; v < kTaps; v++) value[v] = HAST_VECTOR(kWidth, x + v * tap_step);
#pragma GCC unroll 16
    for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTaps; v++) sum[o][v] += value[v] * dy[o];
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < kOutputs; o++) {
#pragma GCC unroll 8
    for (int v = 0; v < kTaps; v++) *reinterpret_cast<Vector<kWidth>*>(target + o * o_step + v * v_step) += sum[o][v];
  }
}

// Any shape: kernel row u of one part of images. row holds one input row with its padding.
template <int kWidth>
HAST_INLINE void padded_part(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy, const float* x,
                             int64_t image_begin, int64_t image_end, int64_t u, float* row) {
  const int64_t v_step = plan.padded_c;
  const int64_t o_step = g.r * g.s * v_step;
  const int64_t pixel = plan.pixel_floats;
  const int64_t tap_step = g.dilation_w * pixel;
  for (int64_t o = 0; o < g.k; o++) {
    clear_floats(partial + o * o_step + u * g.s * v_step, g.s * v_step);
  }
  clear_floats(row, plan.row_floats);
  for (int64_t image = image_begin; image < image_end; image++) {
    for (int64_t i = 0; i < g.p; i++) {
      const int64_t in_row = i * g.stride_h + u * g.dilation_h - g.top;
      if (in_row < 0 || in_row >= g.h) continue;
      const float* from = x + (image * g.h + in_row) * g.w * g.c;
      for (int64_t j = 0; j < g.w; j++) {
        copy_floats(row + (j + g.left) * pixel, from + j * g.c, g.c);
      }
      const float* gradient = dy + (image * g.p + i) * g.q * g.k;
      for (int64_t group = 0; group < g.groups; group++) {
        const int64_t first = group * g.group_k();
        const int64_t last = first + g.group_k();
        for (int64_t c = 0; c < g.group_c(); c += kWidth) {
          PaddedRow line{gradient, row + group * g.group_c() + c, g.q, g.k, g.stride_w * pixel};
          const float* column = line.x;
          float* tap = partial + u * g.s * v_step + c;
          int64_t rest = first;
          for (int64_t v = 0; v < g.s; v++) {
            int64_t o = first;
            line.x = column + v * tap_step;
            for (; o + 8 <= last; o += 8) {
              line.dy = gradient + o;
              padded_tile<kWidth, 8, 1>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
            }
            if (o + 4 <= last) {
              line.dy = gradient + o;
              padded_tile<kWidth, 4, 1>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
              o += 4;
            }
            rest = o;
          }
          // Outputs fewer than four: taps beside each other, or each sum would wait for itself.
          for (int64_t o = rest; o < last; o++) {
            line.dy = gradient + o;
            int64_t v = 0;
            for (; v + 4 <= g.s; v += 4) {
              line.x = column + v * tap_step;
              padded_tile<kWidth, 1, 4>(tap + o * o_step + v * v_step, o_step, v_step, line, tap_step);
            }
            line.x = column + v * tap_step;
            float* target = tap + o * o_step + v * v_step;
            if (g.s - v == 3) padded_tile<kWidth, 1, 3>(target, o_step, v_step, line, tap_step);
            if (g.s - v == 2) padded_tile<kWidth, 1, 2>(target, o_step, v_step, line, tap_step);
            if (g.s - v == 1) padded_tile<kWidth, 1, 1>(target, o_step, v_step, line, tap_step);
          }
        }
      }
    }
  }
}

// Output channels [o, o + kWidth) of one part of images, partial[o / kWidth][r][s][group_c][kWidth]: rows of x are
// spread as for the forward map, so that a vector has outputs of several groups beside what each meets.
template <int kWidth>
HAST_INLINE void spread_part(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t o) {
  using V = Vector<kWidth>;
  constexpr int64_t kMostKept = 16;
  const int64_t group_c = g.group_c();
  const int64_t row_floats = g.w * group_c * kWidth;
  const int64_t lanes = std::min<int64_t>(kWidth, g.k - o);
  float* gradient = thread_scratch();
  float* rows = gradient + g.q * kWidth;
  const int64_t kept = std::min(kMostKept, (kScratchFloats - g.q * kWidth) / row_floats);
  int64_t kept_row[kMostKept];
  int64_t channel[kWidth];
  for (int64_t l = 0; l < kWidth; l++) channel[l] = (o + std::min(l, lanes - 1)) / g.group_k() * group_c;
  partial += o * g.r * g.s * group_c;
  std::memset(partial, 0, g.r * g.s * group_c * kWidth * sizeof(float));
  for (int64_t image = image_begin; image < image_end; image++) {
    for (int64_t slot = 0; slot < kept; slot++) kept_row[slot] = -1;
    for (int64_t i = 0; i < g.p; i++) {
      const float* from = dy + (image * g.p + i) * g.q * g.k + o;
      for (int64_t j = 0; j < g.q; j++) {
        for (int64_t l = 0; l < kWidth; l++) gradient[j * kWidth + l] = l < lanes ? from[j * g.k + l] : 0.0f;
      }
      for (int64_t u = 0; u < g.r; u++) {
        const int64_t in_row = i * g.stride_h + u * g.dilation_h - g.top;
        if (in_row < 0 || in_row >= g.h) continue;
        float* row = rows + in_row % kept * row_floats;
        if (kept_row[in_row % kept] != in_row) {
          kept_row[in_row % kept] = in_row;
          spread_pixels<kWidth>(row, x + (image * g.h + in_row) * g.w * g.c, g.c, g.w, group_c, channel);
        }
        for (int64_t v = 0; v < g.s; v++) {
          const int64_t first = v * g.dilation_w - g.left;  // column of output 0
          const int64_t begin = ceil_div(std::max<int64_t>(0, -first), g.stride_w);
          const int64_t end = std::min(g.q, ceil_div(std::max<int64_t>(0, g.w - first), g.stride_w));
          const int64_t step = g.stride_w * group_c * kWidth;
          for (int64_t c = 0; c < group_c; c++) {
            const float* at = row + (begin * g.stride_w + first) * group_c * kWidth + c * kWidth;
            // One sum would wait for itself.
            V sum[4] = {};
            int64_t j = begin;
            for (; j + 4 <= end; j += 4, at += 4 * step) {
#pragma GCC unroll 4
              for (int k = 0; k < 4; k++) {
                sum[k] += HAST_VECTOR(kWidth, gradient + (j + k) * kWidth) * HAST_VECTOR(kWidth, at + k * step);
              }
            }
            for (; j < end; j++, at += step)
              sum[0] += HAST_VECTOR(kWidth, gradient + j * kWidth) * HAST_VECTOR(kWidth, at);
            *reinterpret_cast<V*>(partial + ((u * g.s + v) * group_c + c) * kWidth) +=
                (sum[0] + sum[1]) + (sum[2] + sum[3]);
          }
        }
      }
    }
  }
}

}  // namespace hast::conv

#endif

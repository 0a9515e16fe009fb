// Sweeps by points: conv2d_sweep.h has what they are.
#ifndef HAST_CONV2D_POINTS_H
#define HAST_CONV2D_POINTS_H

#include "conv2d_tile.h"

namespace hast::conv {

// Eight output pixels anywhere in one image that share their taps: kernel rows u, u + u_step, .., of which pixel p
// meets the first in input row[p] and the others u_move further each, and columns likewise.
constexpr int kPoints = 8;
struct Points {
  float* out[kPoints];
  int64_t row[kPoints], column[kPoints];
  int64_t count;
  int64_t u, u_step, u_move;
  int64_t v, v_step, v_move;
};

// Calls visit(what eight pixels meet through it, its weights' offset) for every tap that one of them has.
template <int kWidth, class Visit>
HAST_INLINE void for_taps(const Sweep& sweep, const float* image, const Points& points, const Visit& visit) {
  for (int64_t u = points.u, du = 0; u < sweep.r; u += points.u_step, du += points.u_move) {
    for (int64_t v = points.v, dv = 0; v < sweep.s; v += points.v_step, dv += points.v_move) {
      const float* x[kPoints];
      bool any = false;
#pragma GCC unroll 8
      for (int p = 0; p < kPoints; p++) {
        const int64_t row = points.row[p] + du;
        const int64_t column = points.column[p] + dv;
        const bool inside = static_cast<uint64_t>(row) < static_cast<uint64_t>(sweep.in_h) &&
                            static_cast<uint64_t>(column) < static_cast<uint64_t>(sweep.in_w);
        any |= inside;
        x[p] = inside ? image + (row * sweep.in_w + column) * sweep.in_c : sweep.zeros;
      }
      if (any) visit(x, (u * sweep.group_in * sweep.s + v) * kWidth);
    }
  }
}

// The taps of eight pixels, found once for all groups.
constexpr int kListedTaps = 64;
struct TapList {
  int64_t count;
  int64_t offset[kListedTaps];
  const float* x[kListedTaps][kPoints];
};

template <int kWidth, int kBlocks, class Each>
HAST_INLINE void point_tile(const Sweep& sweep, const Points& points, int64_t group, int64_t o, const Each& each_tap) {
  using V = Vector<kWidth>;
  const int64_t block_step = sweep.r * sweep.group_in * sweep.s * kWidth;
  const int64_t first = group * round_up(sweep.group_out, kLanes) + o;
  const float* packed = sweep.packed + first / kWidth * block_step;
  V sum[kBlocks][kPoints];
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; b++) {
    const V start = sweep.bias == nullptr ? V{} : HAST_VECTOR(kWidth, sweep.bias + first + b * kWidth);
#pragma GCC unroll 8
    for (int p = 0; p < kPoints; p++) sum[b][p] = start;
  }
  each_tap([&](const float* const(&from)[kPoints], int64_t offset) HAST_LAMBDA {
    const float* weight = packed + offset;
    const int64_t weight_step = sweep.s * kWidth;
    const float* x[kPoints];
#pragma GCC unroll 8
    for (int p = 0; p < kPoints; p++) x[p] = from[p] + group * sweep.group_in;
    for (int64_t c = 0; c < sweep.group_in; c++, weight += weight_step) {
      V tap[kBlocks];
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; b++) tap[b] = HAST_VECTOR(kWidth, weight + b * block_step);
#pragma GCC unroll 8
      for (int p = 0; p < kPoints; p++) {
        const float value = x[p][c];
#pragma GCC unroll 8
        for (int b = 0; b < kBlocks; b++) sum[b][p] += tap[b] * value;
      }
    }
  });
  store_tile<kWidth, kPoints, kBlocks>(sum, points.count, sweep.group_out - o, sweep.accumulate,
                                       [&](int64_t p)
                                           HAST_LAMBDA { return points.out[p] + group * sweep.group_out + o; });
}

template <int kWidth, int kBlocks, class Each>
HAST_INLINE void group_tiles(const Sweep& sweep, const Points& points, const Each& each_tap) {
  for (int64_t group = 0; group < sweep.groups; group++) {
    int64_t o = 0;
    for (; o + (kBlocks - 1) * kWidth < sweep.group_out; o += kBlocks * kWidth)
      point_tile<kWidth, kBlocks>(sweep, points, group, o, each_tap);
    for (; o < sweep.group_out; o += kWidth) point_tile<kWidth, 1>(sweep, points, group, o, each_tap);
  }
}

template <int kWidth, int kBlocks>
HAST_INLINE void point_tiles(const Sweep& sweep, const float* image, Points& points) {
  if (points.count == 0) return;
  // Unused pixels read zeros.
  for (int64_t p = points.count; p < kPoints; p++) points.row[p] = points.column[p] = INT64_MIN / 2;
  if (sweep.groups == 1 || sweep.r * sweep.s > kListedTaps) {
    group_tiles<kWidth, kBlocks>(sweep, points,
                                 [&](const auto& visit) HAST_LAMBDA { for_taps<kWidth>(sweep, image, points, visit); });
  } else {
    TapList list;
    list.count = 0;
    for_taps<kWidth>(sweep, image, points, [&](const float* const(&x)[kPoints], int64_t offset) HAST_LAMBDA {
      std::memcpy(list.x[list.count], x, sizeof(x));
      list.offset[list.count++] = offset;
    });
    group_tiles<kWidth, kBlocks>(sweep, points, [&](const auto& visit) HAST_LAMBDA {
      for (int64_t tap = 0; tap < list.count; tap++) visit(list.x[tap], list.offset[tap]);
    });
  }
  points.count = 0;
}

template <int kWidth, Direction kDir, int kBlocks>
HAST_INLINE void point_band(const Sweep& sweep, int64_t image, int64_t row_begin, int64_t row_end) {
  const float* in = sweep.in + image * sweep.in_h * sweep.in_w * sweep.in_c;
  float* out = sweep.out + image * sweep.out_h * sweep.out_w * sweep.out_c;
  Points points;
  points.count = 0;
  if (kDir == Direction::kForward) {
    points.u = points.v = 0;
    points.u_step = points.v_step = 1;
    points.u_move = sweep.dilation_h;
    points.v_move = sweep.dilation_w;
    for (int64_t i = row_begin; i < row_end; i++) {
      for (int64_t j = 0; j < sweep.out_w; j++) {
        points.out[points.count] = out + (i * sweep.out_w + j) * sweep.out_c;
        points.row[points.count] = i * sweep.stride_h - sweep.top;
        points.column[points.count] = j * sweep.stride_w - sweep.left;
        if (++points.count == kPoints) point_tiles<kWidth, kBlocks>(sweep, in, points);
      }
    }
    point_tiles<kWidth, kBlocks>(sweep, in, points);
    return;
  }
  for (int64_t i = row_begin; i < row_end; i++) {
    const auto rows = Taps<int64_t>::adjoint(i, sweep.stride_h, sweep.top, sweep.dilation_h, sweep.r);
    points.u = rows.first;
    points.u_step = rows.step;
    points.u_move = rows.move;
    for (int64_t j0 = 0; j0 < std::min(sweep.stride_w, sweep.out_w); j0++) {
      const auto columns = Taps<int64_t>::adjoint(j0, sweep.stride_w, sweep.left, sweep.dilation_w, sweep.s);
      points.v = columns.first;
      points.v_step = columns.step;
      points.v_move = columns.move;
      int64_t column = columns.at;
      for (int64_t j = j0; j < sweep.out_w; j += sweep.stride_w, column++) {
        points.out[points.count] = out + (i * sweep.out_w + j) * sweep.out_c;
        points.row[points.count] = rows.at;
        points.column[points.count] = column;
        if (++points.count == kPoints) point_tiles<kWidth, kBlocks>(sweep, in, points);
      }
      point_tiles<kWidth, kBlocks>(sweep, in, points);
    }
  }
}

template <Direction kDir>
BandFunction point_function() {
  return choose<BandFunction, point_band<16, kDir, 2>, point_band<8, kDir, 1>, point_band<4, kDir, 1>>();
}

}  // namespace hast::conv

#endif

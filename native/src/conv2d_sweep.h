// The loop shared by convolution forward and data gradient: every output pixel is a sum over taps of a small matrix
// product between the channels of an input pixel and packed weights.
//
//   forward     out[i, j] = bias + sum over u, v of in[a, b] . weight[u, v]
//   transposed  out[a, b] = sum over u, v, i, j of in[i, j] . weight[u, v]^T
//   with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left = b
//
// Packed weights are [group][block][u][input channel][v][lane], so a tile streams them front to back and finds the s
// columns of a kernel row beside each other. Four ways through:
//  - Rows, one group, columns of the image whole strides beside columns of the result: a tile of neighbouring pixels of
//    one output row times some blocks of channels lives in registers; one input value, broadcast once, serves every
//    column tap that reads it (three multiply-adds per load for a 3x3 kernel), and the edge tiles are compiled without
//    the taps that fall into the padding. No padded copy, no branch inside. The rows of the kernel may lie anywhere.
//  - Narrow, for at most five output channels: the taps of a kernel row become extra output channels (3 x 3 = 9 of 16
//    lanes used rather than 3), and a second step adds the three shifted results.
//  - Points: anything else; eight output pixels, each with its own pointer, which points to zeros where the tap falls
//    into the padding. Groups share the pointers.
//  - Spread, for groups of few output channels: a vector has those of several groups, and rows of the input are copied
//    so that each lane finds its own group's channels, once for all taps.
// Each output value is one sum in an order fixed by the shape, whatever the number of workers.
#ifndef HAST_CONV2D_SWEEP_H
#define HAST_CONV2D_SWEEP_H

#include "conv2d_points.h"
#include "conv2d_rows.h"
#include "conv2d_spread.h"
#include "conv2d_winograd.h"
#include "parallel.h"

namespace hast::conv {

// What runs a sweep, and the layout of the packed weights it wants.
struct Plan {
  BandFunction band;
  int64_t lanes;
  bool narrow, spread;
};

template <Direction kDir>
Plan plan_of(const Sweep& sweep) {
  Plan plan{nullptr, 4, false, false};
  plan.lanes = lanes_of(kIsa);
  const int64_t wide = kDir == Direction::kForward ? sweep.in_w : sweep.out_w;
  const int64_t small = kDir == Direction::kForward ? sweep.out_w : sweep.in_w;
  const bool rows =
      sweep.groups == 1 && sweep.r <= kMaxKernelRows && sweep.out_w % 8 == 0 && wide == small * sweep.stride_w;
  const bool three = rows && sweep.s == 3 && sweep.dilation_w == 1;
  const bool centered = three && sweep.left == 1;
  if (centered && sweep.stride_w == 1 && sweep.out_c <= 5 && sweep.out_w % 16 == 0 && sweep.out_w <= kMaxNarrowWidth) {
    plan.band = narrow_function<kDir>(sweep);
    plan.narrow = true;
  }
  if (plan.band == nullptr && centered && sweep.stride_w == 1) plan.band = row_function<kDir, 3, 1, 1>(sweep);
  if (plan.band == nullptr && centered && sweep.stride_w == 2) plan.band = row_function<kDir, 3, 2, 1>(sweep);
  // Padding only behind, as TensorFlow pads where the stride is 2.
  if (three && sweep.left == 0 && sweep.stride_w == 2) plan.band = row_function<kDir, 3, 2, 0>(sweep);
  if (plan.band == nullptr && rows && sweep.s == 1 && sweep.left == 0) {
    if (sweep.stride_w == 1) plan.band = row_function<kDir, 1, 1, 0>(sweep);
    if (sweep.stride_w == 2) plan.band = row_function<kDir, 1, 2, 0>(sweep);
  }
  if (spread_fits(sweep, plan.lanes)) {
    plan.band = spread_function<kDir>();
    plan.spread = true;
  }
  if (plan.band == nullptr) plan.band = point_function<kDir>();
  return plan;
}

inline int64_t padded_outputs(int64_t groups, int64_t group_out) { return groups * round_up(group_out, kLanes); }

// Packed weights, padded bias and zeros of a sweep, or Winograd's transformed weights.
template <Direction kDir>
inline int64_t sweep_bytes(const Geometry& g) {
  const int64_t in_c = kDir == Direction::kForward ? g.c : g.k;
  const int64_t out_c = kDir == Direction::kForward ? g.k : g.c;
  if (winograd_fits(g, in_c, out_c)) return winograd_bytes(in_c, out_c);
  const int64_t outputs = padded_outputs(g.groups, out_c / g.groups);
  return kAlignment + bytes_of<float>(outputs * (g.r * g.s * (in_c / g.groups) + 1) + round_up(in_c, kLanes));
}

// Packs weight [k, r, s, c / groups] for the plan; one call packs kernel row u of one block of a group.
template <Direction kDir>
inline void pack_kernel_row(const Plan& plan, const Sweep& sweep, const float* weight, float* packed, int64_t group,
                            int64_t block, int64_t u) {
  const int64_t lanes = plan.lanes;
  const int64_t in_c = sweep.group_in;
  const int64_t out_c = sweep.group_out;
  const int64_t r = sweep.r;
  const int64_t s = sweep.s;
  // Of a group weight[o][u][v][i] forward, weight[i][u][v][o] transposed
  const int64_t in_step = kDir == Direction::kForward ? 1 : r * s * out_c;
  const int64_t out_step = kDir == Direction::kForward ? r * s * in_c : 1;
  const int64_t tap_step = kDir == Direction::kForward ? in_c : out_c;
  const float* source = weight + group * r * s * in_c * out_c + u * s * tap_step;
  if (plan.narrow) {
    float* target = packed + (block * r + u) * in_c * lanes;
    for (int64_t i = 0; i < in_c; i++, target += lanes) {
      for (int64_t l = 0; l < lanes; l++) {
        const int64_t slot = (block * lanes + l) / out_c;
        const int64_t o = (block * lanes + l) % out_c;
        const int64_t v = kDir == Direction::kForward ? slot : s - 1 - slot;
        target[l] = slot < s ? source[v * tap_step + o * out_step + i * in_step] : 0.0f;
      }
    }
    return;
  }
  float* target = packed + ((group * (round_up(out_c, kLanes) / lanes) + block) * r + u) * in_c * s * lanes;
  const int64_t o_first = block * lanes;
  const int64_t filled = smaller(lanes, out_c - o_first);
  for (int64_t i = 0; i < in_c; i++) {
    for (int64_t v = 0; v < s; v++, target += lanes) {
      const float* from = source + v * tap_step + o_first * out_step + i * in_step;
      int64_t l = 0;
      for (; l < filled; l++) target[l] = from[l * out_step];
      for (; l < lanes; l++) target[l] = 0.0f;
    }
  }
}

// Runs the sweep of a convolution; the workspace holds sweep_bytes.
template <Direction kDir>
inline void run_sweep(const Geometry& g, float* out, const float* in, const float* weight, const float* bias,
                      bool accumulate, void* workspace, void* stream) {
  constexpr bool kForward = kDir == Direction::kForward;
  Sweep sweep{};
  sweep.in = in;
  sweep.out = out;
  sweep.n = g.n;
  sweep.in_h = kForward ? g.h : g.p;
  sweep.in_w = kForward ? g.w : g.q;
  sweep.in_c = kForward ? g.c : g.k;
  sweep.out_h = kForward ? g.p : g.h;
  sweep.out_w = kForward ? g.q : g.w;
  sweep.out_c = kForward ? g.k : g.c;
  sweep.groups = g.groups;
  sweep.group_in = sweep.in_c / g.groups;
  sweep.group_out = sweep.out_c / g.groups;
  sweep.r = g.r;
  sweep.s = g.s;
  sweep.stride_h = g.stride_h;
  sweep.stride_w = g.stride_w;
  sweep.top = g.top;
  sweep.left = g.left;
  sweep.dilation_h = g.dilation_h;
  sweep.dilation_w = g.dilation_w;
  sweep.accumulate = accumulate;
  if (winograd_fits(g, sweep.in_c, sweep.out_c)) {
    Winograd winograd{};
    winograd.in = in;
    winograd.out = out;
    winograd.bias = bias;
    winograd.n = g.n;
    winograd.h = g.h;
    winograd.w = g.w;
    winograd.in_c = sweep.in_c;
    winograd.out_c = sweep.out_c;
    winograd.accumulate = accumulate;
    run_winograd<!kForward>(winograd, weight, workspace, stream);
    return;
  }
  const Plan plan = plan_of<kDir>(sweep);
  const int64_t outputs = padded_outputs(g.groups, sweep.group_out);
  const int64_t packed_floats = outputs * g.r * g.s * sweep.group_in;
  float* packed = aligned(workspace);
  float* padded_bias = packed + packed_floats;
  float* zeros = padded_bias + outputs;
  clear_floats(zeros, sweep.in_c);
  if (bias != nullptr) {
    clear_floats(padded_bias, outputs);
    const int64_t step = plan.spread ? sweep.group_out : round_up(sweep.group_out, kLanes);
    for (int64_t group = 0; group < g.groups; group++) {
      copy_floats(padded_bias + group * step, bias + group * sweep.group_out, sweep.group_out);
    }
  }
  sweep.packed = packed;
  sweep.bias = bias == nullptr ? nullptr : padded_bias;
  sweep.zeros = zeros;

  const int64_t blocks = plan.narrow   ? kLanes / plan.lanes
                         : plan.spread ? ceil_div(sweep.out_c, plan.lanes)
                                       : round_up(sweep.group_out, kLanes) / plan.lanes;
  const int64_t pieces = (plan.spread ? 1 : g.groups) * blocks * g.r;
  const auto pack = [&](int64_t piece) {
    const int64_t block = piece / g.r;
    if (plan.spread) {
      pack_spread_row<kDir>(sweep, weight, packed, plan.lanes, block, piece % g.r);
    } else {
      pack_kernel_row<kDir>(plan, sweep, weight, packed, block / blocks, block % blocks, piece % g.r);
    }
  };
  // Below this, waking the workers costs more than the packing.
  constexpr int64_t kSerialFloats = 8192;
  if (packed_floats <= kSerialFloats) {
    for (int64_t piece = 0; piece < pieces; piece++) pack(piece);
  } else {
    parallel_for(stream, pieces, pack);
  }

  // Bands of about kBandProducts multiply-adds, whole images where they are small enough.
  constexpr int64_t kBandProducts = 1 << 21;
  const int64_t row_products = larger(1, sweep.out_w * sweep.out_c * sweep.group_in * sweep.r * sweep.s /
                                             (kForward ? 1 : sweep.stride_h * sweep.stride_w));
  int64_t band_rows = std::clamp<int64_t>(kBandProducts / row_products, 1, sweep.out_h);
  if (band_rows * 2 > sweep.out_h && band_rows < sweep.out_h) band_rows = ceil_div(sweep.out_h, 2);
  const int64_t bands = ceil_div(sweep.out_h, band_rows);
  parallel_for(stream, sweep.n * bands, [&](int64_t task) {
    const int64_t row_begin = task % bands * band_rows;
    plan.band(sweep, task / bands, row_begin, smaller(row_begin + band_rows, sweep.out_h));
  });
}

}  // namespace hast::conv

#endif

// Convolution forward, NHWC activations, OHWI weights.
//
//   y[n,i,j,o] = bias[o] + sum_{u,v,c} x[n,a,b,c'] weight[o,u,v,c]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left, c' channel c of the group of o
//
// Shapes: x [n,h,w,c], weight [k,r,s,c/groups], y [n,p,q,k]. For each group a product of matrices with a row for every
// pixel of y and a column for every channel, all groups in one launch; the patches of x are never written down. Kernels
// of at most 25 taps go by taps (conv2d_taps.cuh: how the work is divided, tensor cores under HAST_MATH_TF32, banks);
// the rest, and images so wide or taps so far apart that the rows between them exceed shared memory, in float32 by
// product.cuh. Deterministic: a value is one sum in an order fixed by the sizes. Memory traffic: 4 bytes for each value
// of x, y and weight, and again from the L2 cache the weights for each block, and x for each 64 output channels of a
// group and for the rows that blocks share. A group is computed as if it had at least 16 output channels and a multiple
// of 8 input channels, and where it has fewer than 8, accesses take parts of sectors.
#include "conv2d_taps.cuh"

using namespace hast;

int64_t hast_conv2d_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s,
                                    int32_t groups, const int32_t* window, int32_t direction) noexcept {
  const Conv g({n, h, w, c, k, r, s, groups, window});
  if (!g.valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
    case HAST_CONV_BWD_DATA:
      return 0;
    case HAST_CONV_BWD_WEIGHT:
      return conv2d_bwd_weight_bytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_conv2d_fwd_f32(float* y, const float* x, const float* weight, const float* bias, void*, int64_t, int64_t n,
                            int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int32_t groups,
                            const int32_t* window, void* stream) noexcept {
  const Conv g({n, h, w, c, k, r, s, groups, window});
  if (!valid::convolution(y, x, weight, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostLines) || groups > kMostGroups) return HAST_EUNSUPPORTED;
  TapsProblem taps{};
  taps.out = y;
  taps.source = x;
  taps.weight = weight;
  taps.bias = bias;
  taps.reach[0] = forward_reach(g);
  taps.phases = taps.spread_h = taps.spread_w = 1;
  int32_t status = HAST_OK;
  if (convolve_taps<false>(taps, g, stream_of(stream), status)) return status;
  Product p{};
  p.out = y;
  p.bias = bias;
  p.row_step = k;
  p.column_step = 1;
  p.rows = static_cast<int>(g.pixels_out());
  p.columns = static_cast<int>(g.group_k());
  p.groups = groups;
  p.group_step = g.group_k();
  const int64_t filter = r * s * g.group_c();
  p.depth = p.part = static_cast<int>(filter);
  return multiply(p, Patches(x, g), GroupMatrix<Along::kDepth>{{weight, filter, 1}, g.group_k() * filter},
                  stream_of(stream));
}

// Data gradient of the convolution.
//
//   dx[n,a,b,c'] (+)= sum over i, j, u, v, o with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left
//   = b
//                     of dy[n,i,j,o] weight[o,u,v,c], c' channel c of the group of o
//
// Shapes: dy [n,p,q,k], weight [k,r,s,c/groups], dx [n,h,w,c]. For each group a product of matrices with a row for
// every pixel of dx and a column for every channel, all groups in one launch. Strides whose product is at most 4 go by
// taps, with at most 25 of them (conv2d_taps.cuh: how the work is divided, tensor cores under HAST_MATH_TF32, banks):
// stride 1 is the forward map with the taps mirrored, and stride 2 four of them, one for each parity of a pixel's row
// and column, so that nothing is multiplied by zero. Anything else is a product in float32 by product.cuh, terms that
// fall between the strides being zero. Deterministic: a value is one sum in an order fixed by the sizes. Memory
// traffic: 4 bytes for each value of dy, dx (8 when accumulating) and weight, and again from the L2 cache the weights
// for each block, and dy for each 64 channels of a group, for each parity and for the rows that blocks share. Small
// groups as in the forward map.
#include "conv2d_taps.cuh"

using namespace hast;

int32_t hast_conv2d_bwd_data_f32(float* dx, const float* dy, const float* weight, void*, int64_t, int64_t n, int64_t h,
                                 int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int32_t groups,
                                 const int32_t* window, int32_t accumulate, void* stream) noexcept {
  const Conv g({n, h, w, c, k, r, s, groups, window});
  if (!valid::convolution(dx, dy, weight, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostLines) || groups > kMostGroups) return HAST_EUNSUPPORTED;
  int32_t status = HAST_OK;
  if (g.stride_h <= kMostPhases && g.stride_w <= kMostPhases / g.stride_h) {
    TapsProblem taps{};
    taps.out = dx;
    taps.source = dy;
    taps.weight = weight;
    for (int64_t row = 0; row < g.stride_h; row++) {
      for (int64_t column = 0; column < g.stride_w; column++) {
        taps.reach[row * g.stride_w + column] = adjoint_reach(g, row, column);
      }
    }
    taps.spread_h = static_cast<int>(g.stride_h);
    taps.spread_w = static_cast<int>(g.stride_w);
    taps.phases = taps.spread_h * taps.spread_w;
    taps.accumulate = accumulate != 0;
    if (convolve_taps<true>(taps, g, stream_of(stream), status)) return status;
  }
  Product p{};
  p.out = dx;
  p.row_step = c;
  p.column_step = 1;
  p.rows = static_cast<int>(g.pixels_in());
  p.columns = static_cast<int>(g.group_c());
  p.groups = groups;
  p.group_step = g.group_c();
  p.depth = p.part = static_cast<int>(r * s * g.group_k());
  p.accumulate = accumulate != 0;
  return multiply(p, AdjointPatches(dy, g), AdjointWeights(weight, g), stream_of(stream));
}

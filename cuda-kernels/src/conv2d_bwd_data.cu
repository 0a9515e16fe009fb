// Data gradient of the convolution.
//
//   dx[n,a,b,c] (+)= sum over i, j, u, v, o with i stride + u - pad = a, j stride + v - pad = b
//                    of dy[n,i,j,o] weight[o,u,v,c]
//
// Shapes: dy [n,p,q,k], weight [k,r,s,c], dx [n,h,w,c]. A product of matrices with a row for every pixel of dx and a
// column for every channel. Strides 1 and 2 go by taps, with at most 25 of them (conv2d_taps.cuh: how the work is
// divided, tensor cores under HAST_MATH_TF32, banks): stride 1 is the forward map with the taps mirrored, and stride 2
// four of them, one for each parity of a pixel's row and column, so that nothing is multiplied by zero. Anything else
// is a product in float32 by product.cuh, terms that fall between the strides being zero. Deterministic: a value is one
// sum in an order fixed by the sizes. Memory traffic: 4 bytes for each value of dy, dx (8 when accumulating) and
// weight, and again from the L2 cache the weights for each block, and dy for each 64 channels, for each parity and for
// the rows that blocks share.
#include "conv2d_taps.cuh"

using namespace hast;

int32_t hast_conv2d_bwd_data_f32(float* dx, const float* dy, const float* weight, void*, int64_t, int64_t n, int64_t h,
                                 int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int32_t stride, int32_t pad,
                                 int32_t accumulate, void* stream) noexcept {
  const Conv g(n, h, w, c, k, r, s, stride, pad);
  if (any_null(dx, dy, weight, static_cast<char*>(stream)) || !g.valid()) return HAST_EARGUMENT;
  if (!g.countable(kMostLines)) return HAST_EUNSUPPORTED;
  int32_t status = HAST_OK;
  if (g.stride * g.stride <= kMostPhases) {
    TapsProblem taps{};
    taps.out = dx;
    taps.source = dy;
    taps.weight = weight;
    for (int64_t row = 0; row < g.stride; row++) {
      for (int64_t column = 0; column < g.stride; column++) {
        taps.reach[row * g.stride + column] = adjoint_reach(g, row, column);
      }
    }
    taps.phases = static_cast<int>(g.stride * g.stride);
    taps.spread = static_cast<int>(g.stride);
    taps.out_h = static_cast<int>(h);
    taps.out_w = static_cast<int>(w);
    taps.source_channels = static_cast<int>(k);
    taps.out_channels = static_cast<int>(c);
    taps.filter = static_cast<int>(r * s);
    taps.accumulate = accumulate != 0;
    if (convolve_taps<true>(taps, stream_of(stream), status)) return status;
  }
  Product p{};
  p.out = dx;
  p.row_step = c;
  p.column_step = 1;
  p.rows = static_cast<int>(g.pixels_in());
  p.columns = static_cast<int>(c);
  p.depth = p.part = static_cast<int>(r * s * k);
  p.accumulate = accumulate != 0;
  return multiply(p, AdjointPatches(dy, g), AdjointWeights(weight, g), stream_of(stream));
}

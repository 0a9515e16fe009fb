// Convolution.
//
//   y[n,i,j,o] = bias[o] + sum_{u,v,c} x[n,a,b,c'] weight[o,u,v,c]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left, c' channel c of the group of o
//
// Shapes: x [n,h,w,c], weight [k,r,s,c/groups], y [n,p,q,k].
// Rounding: in float32, contraction allowed. Error against double: below 4e-7 of the output's scale with Winograd,
// 1.1e-6 without (its sums are shorter).
// Determinism: an output is one sum in an order fixed by the shape; workers only share out bands of rows. Very small
// problems take the direct sum where larger ones take Winograd's, so an image's last bits may change with n.
// Bytes: 4 per x and y; bound by arithmetic but for 1x1.
//
// Ways through, chosen by shape: Winograd F(2x2,3x3) for 3x3 stride 1 with whole blocks of 16 channels
// (conv2d_winograd.h); register tiles of 8 pixels x 2 blocks or 16 x 1 for rows of a multiple of 8 pixels; taps as
// channels for at most five outputs; eight pixels by pointer for everything else, groups too (conv2d_sweep.h).
//
// Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512 (about 240 is what a direct sum reaches), n = 64
// unless given, 2026-11: 3->16 @32 232; 16->16 @32 327; 32->32 @16 418; 64->64 @8 457; 16->32 @32 stride 2 245; 32->64
// @16 stride 2 257; 1x1 stride 2 178, 204; n = 16: 128->128 @16 434; 128->64 @32 408; 64->3 @32 122. Direct only, the
// three middle layers took 1.20, 1.15 and 1.03 ms, with Winograd 0.91, 0.72 and 0.65.
#include <hast/conv.h>

#include "conv2d_common.h"
#include "conv2d_sweep.h"

using namespace hast;
using namespace hast::conv;

int64_t hast_conv2d_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s,
                                    int32_t groups, const int32_t* window, int32_t direction) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (!g.valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
      return sweep_bytes<Direction::kForward>(g);
    case HAST_CONV_BWD_DATA:
      return sweep_bytes<Direction::kTransposed>(g);
    case HAST_CONV_BWD_WEIGHT:
      return backward_weight_workspace_bytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_conv2d_fwd_f32(float* y, const float* x, const float* weight, const float* bias, void* workspace,
                            int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r,
                            int64_t s, int32_t groups, const int32_t* window, void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (!valid::convolution(y, x, weight, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, sweep_bytes<Direction::kForward>(g))) return HAST_EWORKSPACE;
  run_sweep<Direction::kForward>(g, y, x, weight, bias, false, workspace, stream);
  return HAST_OK;
}

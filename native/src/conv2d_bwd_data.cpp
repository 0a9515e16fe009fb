// Data gradient of the convolution.
//
//   dx[n,a,b,c'] (+)= sum over i, j, u, v, o of dy[n,i,j,o] weight[o,u,v,c]
//   with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left = b, c' channel c of the group of o
//
// Shapes: dy [n,p,q,k], weight [k,r,s,c/groups], dx [n,h,w,c].
// Rounding: in float32, contraction allowed.
// Determinism: as the forward map, whose code it shares.
// Bytes: 4 per dy and dx, +4 per dx when accumulating; bound by arithmetic but for 1x1.
//
// Packing exchanges the channels, stride 1 mirrors the taps, and at stride 2 a tile spans both parities of the columns
// and meets only the taps that exist; at any other, pixels that meet the same taps go together. Nothing is multiplied
// by zero (conv2d_sweep.h, conv2d_winograd.h). Input channels of dx below six (the image gradient) use the taps as
// channels.
//
// Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 108;
// 16->16 @32 327; 32->32 @16 413; 64->64 @8 467; 16->32 @32 stride 2 244; 32->64 @16 stride 2 257; 1x1 stride 2 136
// (bound by writing dx), 183; n = 16: 128->128 @16 446; 128->64 @32 448; 64->3 @32 238.
#include <hast/conv.h>

#include "conv2d_common.h"
#include "conv2d_sweep.h"

using namespace hast;
using namespace hast::conv;

int32_t hast_conv2d_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                 int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                 int64_t r, int64_t s, int32_t groups, const int32_t* window, int32_t accumulate,
                                 void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (!valid::convolution(dx, dy, weight, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, sweep_bytes<Direction::kTransposed>(g))) return HAST_EWORKSPACE;
  run_sweep<Direction::kTransposed>(g, dx, dy, weight, nullptr, accumulate != 0, workspace, stream);
  return HAST_OK;
}

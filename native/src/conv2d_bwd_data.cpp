/* Data gradient of the convolution.
 *
 *   dx[n,a,b,c'] (+)= sum over i, j, u, v, o with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left
 * = b of dy[n,i,j,o] weight[o,u,v,c], c' channel c of the group of o
 *
 * Shapes: dy [n,p,q,k], weight [k,r,s,c/groups], dx [n,h,w,c]. Deterministic as the forward map, whose code it shares:
 * packing exchanges the channels, stride 1 mirrors the taps, and at stride 2 a tile spans both parities of the columns
 * and meets only the taps that exist; at any other, pixels that meet the same taps go together. Nothing is multiplied
 * by zero (conv2d_sweep.h, conv2d_winograd.h). Input channels of dx below six (the image gradient) use the taps as
 * channels.
 *
 * Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 108;
 * 16->16 @32 327; 32->32 @16 413; 64->64 @8 467; 16->32 @32 stride 2 244; 32->64 @16 stride 2 257; 1x1 stride 2 136
 * (bound by writing dx), 183; n = 16: 128->128 @16 446; 128->64 @32 448; 64->3 @32 238. */
#include <hast/status.h>

#include "conv2d_common.h"
#include "conv2d_sweep.h"

using namespace hast::conv;

int32_t hast_conv2d_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                 int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                 int64_t r, int64_t s, int32_t groups, const int32_t* window, int32_t accumulate,
                                 void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (dx == nullptr || dy == nullptr || weight == nullptr || stream == nullptr || !g.valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < SweepBytes<Direction::kTransposed>(g)) return HAST_EWORKSPACE;
  RunSweep<Direction::kTransposed>(g, dx, dy, weight, nullptr, accumulate != 0, workspace, stream);
  return HAST_OK;
}

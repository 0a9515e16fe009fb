/* Data gradient of the convolution.
 *
 *   dx[n,a,b,c] (+)= sum over i, j, u, v, o with i stride + u - pad = a, j stride + v - pad = b
 *                    of dy[n,i,j,o] weight[o,u,v,c]
 *
 * Shapes: dy [n,p,q,k], weight [k,r,s,c], dx [n,h,w,c]. Deterministic as the forward map, whose code it shares: packing
 * exchanges the channels, stride 1 mirrors the taps, and at stride 2 a tile spans both parities of the columns and
 * meets only the taps that exist, so nothing is multiplied by zero (conv2d_sweep.h, conv2d_winograd.h). Input channels
 * of dx below six (the image gradient) use the taps as channels.
 *
 * Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 108;
 * 16->16 @32 327; 32->32 @16 413; 64->64 @8 467; 16->32 @32 stride 2 244; 32->64 @16 stride 2 257; 1x1 stride 2 136
 * (bound by writing dx), 183; n = 16: 128->128 @16 446; 128->64 @32 448; 64->3 @32 238. */
#include <hast/status.h>

#include "conv2d_common.h"
#include "conv2d_sweep.h"

namespace hast::conv {

int64_t BackwardDataWorkspaceBytes(const Geometry& g) {
  if (WinogradFits(g.n, g.h, g.w, g.k, g.c, g.r, g.s, g.stride, g.pad)) return WinogradBytes(g.k, g.c);
  return SweepBytes(g.k, g.c, g.r, g.s);
}

}  // namespace hast::conv

using namespace hast::conv;

int32_t hast_conv2d_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                 int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                 int64_t r, int64_t s, int32_t stride, int32_t pad, int32_t accumulate,
                                 void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, stride, pad);
  if (dx == nullptr || dy == nullptr || weight == nullptr || stream == nullptr || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < BackwardDataWorkspaceBytes(g)) return HAST_EWORKSPACE;
  Sweep sweep{};
  sweep.in = dy;
  sweep.out = dx;
  sweep.n = n;
  sweep.in_h = g.p;
  sweep.in_w = g.q;
  sweep.in_c = k;
  sweep.out_h = h;
  sweep.out_w = w;
  sweep.out_c = c;
  sweep.r = r;
  sweep.s = s;
  sweep.stride = stride;
  sweep.pad = pad;
  sweep.accumulate = accumulate != 0;
  RunSweep<Direction::kTransposed>(sweep, weight, nullptr, workspace, stream);
  return HAST_OK;
}

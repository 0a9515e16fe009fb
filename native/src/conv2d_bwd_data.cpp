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

#include <hast/status.h>

#include "conv2d_common.h"
#include "conv2d_sweep.h"

namespace hast::conv {

int64_t ForwardWorkspaceBytes(const Geometry& g) {
  if (WinogradFits(g.n, g.h, g.w, g.c, g.k, g.r, g.s, g.stride, g.pad)) return WinogradBytes(g.c, g.k);
  return SweepBytes(g.c, g.k, g.r, g.s);
}

}  // namespace hast::conv

using namespace hast::conv;

int64_t hast_conv2d_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s,
                                    int32_t stride, int32_t pad, int32_t direction) noexcept {
  const Geometry g(n, h, w, c, k, r, s, stride, pad);
  if (!g.Valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
      return ForwardWorkspaceBytes(g);
    case HAST_CONV_BWD_DATA:
      return BackwardDataWorkspaceBytes(g);
    case HAST_CONV_BWD_WEIGHT:
      return BackwardWeightWorkspaceBytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_conv2d_fwd_f32(float* y, const float* x, const float* weight, const float* bias, void* workspace,
                            int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r,
                            int64_t s, int32_t stride, int32_t pad, void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, stride, pad);
  if (y == nullptr || x == nullptr || weight == nullptr || stream == nullptr || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < ForwardWorkspaceBytes(g)) return HAST_EWORKSPACE;
  Sweep sweep{};
  sweep.in = x;
  sweep.out = y;
  sweep.n = n;
  sweep.in_h = h;
  sweep.in_w = w;
  sweep.in_c = c;
  sweep.out_h = g.p;
  sweep.out_w = g.q;
  sweep.out_c = k;
  sweep.r = r;
  sweep.s = s;
  sweep.stride = stride;
  sweep.pad = pad;
  sweep.accumulate = false;
  RunSweep<Direction::kForward>(sweep, weight, bias, workspace, stream);
  return HAST_OK;
}

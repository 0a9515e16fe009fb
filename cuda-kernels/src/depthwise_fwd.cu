// Depthwise convolution, forward: y[n,i,j,c] = bias[c] + sum_{u,v} x[n,a,b,c] weight[c,u,v]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
//
// x [n,h,w,c], weight [c,r,s,1], y [n,p,q,c]. Products and sums in float32, never on tensor cores, the bias first and
// the rest in the order of the filter: deterministic. 4 bytes read per input, 4 written per output. depthwise_sweep.cuh
// has the division of work; 3 x 3 with stride 1 or 2 and no dilation is compiled with these as constants, 4 channels of
// 16 bytes or 1 a thread.
#include "depthwise_sweep.cuh"

using namespace hast;

int64_t hast_depthwise_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       const int32_t* window, int32_t direction) noexcept {
  const Conv g(depthwise_convolution(n, h, w, c, r, s, window));
  if (!g.valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
    case HAST_CONV_BWD_DATA:
      return 0;
    case HAST_CONV_BWD_WEIGHT:
      return depthwise_bwd_weight_bytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_depthwise_fwd_f32(float* y, const float* x, const float* weight, const float* bias, void*, int64_t,
                               int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, const int32_t* window,
                               void* stream) noexcept {
  const Conv g(depthwise_convolution(n, h, w, c, r, s, window));
  if (!valid::convolution(y, x, weight, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostPixels)) return HAST_EUNSUPPORTED;
  return launch_sweep<false>(SweepJob{y, x, weight, bias, g, false}, stream_of(stream));
}

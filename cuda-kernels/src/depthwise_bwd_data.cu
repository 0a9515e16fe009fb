// Data gradient of the depthwise convolution: dx (=, +=) the adjoint of the forward map applied to dy,
//   dx[n,a,b,c] = sum over i, j, u, v with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left = b
//                 of dy[n,i,j,c] weight[c,u,v]
//
// dy [n,p,q,c], weight [c,r,s,1], dx [n,h,w,c]. Products and sums in float32, the old dx added last: deterministic. 4
// bytes read per dy, 4 written per dx, 8 when accumulating. depthwise_sweep.cuh has the division of work; 3 x 3
// without dilation is compiled with stride 1 (3 taps of a row) and 2 (2 of them in one column, 1 in the next) as
// constants.
#include "depthwise_sweep.cuh"

using namespace hast;

int32_t hast_depthwise_bwd_data_f32(float* dx, const float* dy, const float* weight, void*, int64_t, int64_t n,
                                    int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, const int32_t* window,
                                    int32_t accumulate, void* stream) noexcept {
  const Conv g(depthwise_convolution(n, h, w, c, r, s, window));
  if (!valid::convolution(dx, dy, weight, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostPixels)) return HAST_EUNSUPPORTED;
  return launch_sweep<true>(SweepJob{dx, dy, weight, nullptr, g, accumulate != 0}, stream_of(stream));
}

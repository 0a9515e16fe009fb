// Depthwise convolution.
//
//   y[n,i,j,c] = bias[c] + sum_{u,v} x[n,a,b,c] weight[c,u,v]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
//
// Shapes: x [n,h,w,c], weight [c,r,s,1], y [n,p,q,c].
// Rounding: a sum of the bias and r s terms in float32, contraction allowed.
// Determinism: a sum is always in the same order.
// Bytes: 4 read per input and 4 written per output: memory-bound.
//
// Tasks are bands of output rows; vectors run over the channels. Eight outputs of a row share their inputs in registers
// for rows of 1, 2 and 3 taps with stride 1, four for 3 taps with stride 2; other rows, dilated ones too, go pixel by
// pixel.
#include <hast/conv.h>

#include "depthwise.h"

namespace hast::depthwise {

void run_sweep_rows(const Sweep& sweep, int64_t begin, int64_t end) {
  using Function = void (*)(const Sweep& sweep, int64_t begin, int64_t end);
  conv::choose<Function, sweep_rows<16>, sweep_rows<8>, sweep_rows<4>>()(sweep, begin, end);
#if defined(__x86_64__)
  // Who sees the task finished must see what it wrote.
  if (sweep.stream) __builtin_ia32_sfence();
#endif
}

}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int64_t hast_depthwise_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       const int32_t* window, int32_t direction) noexcept {
  const Geometry g = depthwise_convolution(n, h, w, c, r, s, window);
  if (!g.valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
    case HAST_CONV_BWD_DATA:
      return packed_bytes(g);
    case HAST_CONV_BWD_WEIGHT:
      return partial_bytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_depthwise_fwd_f32(float* y, const float* x, const float* weight, const float* bias, void* workspace,
                               int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                               int64_t s, const int32_t* window, void* stream) noexcept {
  const Geometry g = depthwise_convolution(n, h, w, c, r, s, window);
  if (!valid::convolution(y, x, weight, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, packed_bytes(g))) return HAST_EWORKSPACE;
  const float* taps = packed_filters(workspace, weight, g);
  for_bands(stream, n, g.p, g.q * c, [&](int64_t image, int64_t begin, int64_t end) {
    run_sweep_rows({.out = y + image * g.p * g.q * c,
                    .out_row_step = g.q * c,
                    .out_step = c,
                    .count = g.q,
                    .in = x + image * h * w * c,
                    .height = h,
                    .width = w,
                    .top = -g.top,
                    .row_step = g.stride_h,
                    .row_gap = g.dilation_h,
                    .column = -g.left,
                    .step = g.stride_w,
                    .gap = g.dilation_w,
                    .weight = taps,
                    .filter_taps = r * s,
                    .weight_row_step = s * conv::kLanes,
                    .weight_tap_step = conv::kLanes,
                    .rows = r,
                    .taps = s,
                    .c = c,
                    .bias = bias,
                    .accumulate = false,
                    .foresee = foresees(g),
                    .stream = streams(g, y)},
                   begin, end);
  });
  return HAST_OK;
}

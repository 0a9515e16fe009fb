// Data gradient of the depthwise convolution.
//
//   dx[n,a,b,c] (+)= sum over i, j, u, v of dy[n,i,j,c] weight[c,u,v]
//   with i stride_h + u dilation_h - top = a, j stride_w + v dilation_w - left = b
//
// Shapes: dy [n,p,q,c], weight [c,r,s,1], dx [n,h,w,c].
// Rounding: in float32, contraction allowed; a sum of at most r s terms, with stride 2 of at most ceil(r / 2) ceil(s /
// 2).
// Determinism: a sum is always in the same order, the old dx added last.
// Bytes: 4 read per dy and 4 written per dx, 8 when accumulating.
//
// All the rows of dx of one remainder modulo the stride meet the same taps, at rows of dy that lie equally far apart,
// and so do the columns: each pair of remainders is a forward map with stride 1 and the taps reversed. Tasks are bands
// of rows of dx.
#include <hast/conv.h>

#include "depthwise.h"

namespace hast::depthwise {
namespace {

// What the rows or columns of dx of one remainder meet, from the last tap on: origin is the row or column of dy that it
// meets in the first of them, gap how much further the next tap meets it.
struct Phase {
  int64_t count;  // of these taps, may be 0
  int64_t last, step;
  int64_t origin, gap;

  Phase(int64_t remainder, int64_t stride, int64_t before, int64_t dilation, int64_t taps) {
    const auto met = Taps<int64_t>::adjoint(remainder, stride, before, dilation, taps);
    count = met.count;
    step = met.step;
    last = met.first + (count - 1) * step;
    gap = -met.move;
    origin = met.at - (count - 1) * gap;
  }
};

}  // namespace
}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int32_t hast_depthwise_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                    int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                    int64_t s, const int32_t* window, int32_t accumulate, void* stream) noexcept {
  const Geometry g = depthwise_convolution(n, h, w, c, r, s, window);
  if (!valid::convolution(dx, dy, weight, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, packed_bytes(g))) return HAST_EWORKSPACE;
  const float* taps = packed_filters(workspace, weight, g);
  for_bands(stream, n, h, w * c, [&](int64_t image, int64_t begin, int64_t end) {
    for (int64_t i = 0; i < smaller(g.stride_h, h); i++) {
      const Phase row(i, g.stride_h, g.top, g.dilation_h, r);
      for (int64_t j = 0; j < smaller(g.stride_w, w); j++) {
        const Phase column(j, g.stride_w, g.left, g.dilation_w, s);
        run_sweep_rows({.out = dx + ((image * h + i) * w + j) * c,
                        .out_row_step = g.stride_h * w * c,
                        .out_step = g.stride_w * c,
                        .count = ceil_div(w - j, g.stride_w),
                        .in = dy + image * g.p * g.q * c,
                        .height = g.p,
                        .width = g.q,
                        .top = row.origin,
                        .row_step = 1,
                        .row_gap = row.gap,
                        .column = column.origin,
                        .step = 1,
                        .gap = column.gap,
                        .weight = taps + (row.last * s + column.last) * conv::kLanes,
                        .filter_taps = r * s,
                        .weight_row_step = -row.step * s * conv::kLanes,
                        .weight_tap_step = -column.step * conv::kLanes,
                        .rows = column.count > 0 ? row.count : 0,
                        .taps = column.count,
                        .c = c,
                        .accumulate = accumulate != 0,
                        .foresee = foresees(g),
                        .stream = accumulate == 0 && streams(g, dx)},
                       ceil_div(larger(0, begin - i), g.stride_h), ceil_div(larger(0, end - i), g.stride_h));
      }
    }
  });
  return HAST_OK;
}

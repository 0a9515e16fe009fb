/* Depthwise convolution, forward.
 *
 *   y[n,i,j,c] = sum_{u,v} x[n,a,b,c] weight[c,u,v]
 *   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
 *
 * Shapes: x [n,h,w,c], weight [c,r,s,1], y [n,p,q,c]. A sum of r s terms in float32, always in the same order. 4 bytes
 * read per input and 4 written per output: memory-bound. Tasks are bands of output rows; vectors run over the
 * channels. Eight outputs of a row share their inputs in registers for rows of 1, 2 and 3 taps with stride 1, four for
 * 3 taps with stride 2; other rows, dilated ones too, go pixel by pixel. */
#include "depthwise.h"

namespace hast::depthwise {
namespace {

HAST_TARGET_V4 void SweepV4(const Sweep& sweep, int64_t begin, int64_t end) { SweepRows<16>(sweep, begin, end); }
HAST_TARGET_V3 void SweepV3(const Sweep& sweep, int64_t begin, int64_t end) { SweepRows<8>(sweep, begin, end); }
void SweepBaseline(const Sweep& sweep, int64_t begin, int64_t end) { SweepRows<4>(sweep, begin, end); }

}  // namespace

void Run(const Sweep& sweep, int64_t begin, int64_t end) {
  switch (conv::kIsa) {
    case Isa::kV4:
      SweepV4(sweep, begin, end);
      break;
    case Isa::kV3:
      SweepV3(sweep, begin, end);
      break;
    case Isa::kBaseline:
      SweepBaseline(sweep, begin, end);
      break;
  }
#if defined(__x86_64__)
  /* Who sees the task finished must see what it wrote. */
  if (sweep.stream) __builtin_ia32_sfence();
#endif
}

}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int64_t hast_depthwise_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       const int32_t* window, int32_t direction) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, window);
  if (!g.valid()) return HAST_EARGUMENT;
  switch (direction) {
    case HAST_CONV_FWD:
    case HAST_CONV_BWD_DATA:
      return PackedBytes(g);
    case HAST_CONV_BWD_WEIGHT:
      return PartialBytes(g);
    default:
      return HAST_EARGUMENT;
  }
}

int32_t hast_depthwise_fwd_f32(float* y, const float* x, const float* weight, void* workspace, int64_t workspace_bytes,
                               int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, const int32_t* window,
                               void* stream) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, window);
  if (any_null(y, x, weight, stream) || !g.valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < PackedBytes(g)) return HAST_EWORKSPACE;
  const float* taps = Packed(workspace, weight, g);
  for_bands(stream, n, g.p, g.q * c, [&](int64_t image, int64_t begin, int64_t end) {
    Run({.out = y + image * g.p * g.q * c,
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
         .accumulate = false,
         .foresee = Foresees(g),
         .stream = Streams(g, y)},
        begin, end);
  });
  return HAST_OK;
}

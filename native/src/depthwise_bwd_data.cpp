/* Data gradient of the depthwise convolution.
 *
 *   dx[n,i,j,c] = sum_{u,v} dy[n, (i + pad - u) / stride, (j + pad - v) / stride, c] weight[c,u,v]
 *
 * over the taps whose quotients are whole. Shapes: dy [n,p,q,c], weight [c,r,s,1], dx [n,h,w,c]. A sum of at most
 * ceil(r / stride) ceil(s / stride) terms in float32, always in the same order, the old dx added last. 4 bytes read per
 * dy and 4 written per dx (8 when accumulating).
 *
 * All the rows i of one remainder modulo the stride meet the same taps, at consecutive rows of dy, and so do the
 * columns: each pair of remainders is a forward map with stride 1 and the taps reversed. Tasks are bands of rows of dx.
 */
#include "depthwise.h"

namespace hast::depthwise {
namespace {

/* What the rows or columns of dx of one remainder meet: every stride-th of `taps` taps. */
struct Phase {
  int64_t count;  /* of these taps, may be 0 */
  int64_t last;   /* the last of these taps */
  int64_t origin; /* the row or column of dy that this tap meets in the first of the rows or columns */

  Phase(int64_t remainder, int64_t taps, const Geometry& g) {
    const int64_t first = (remainder + g.pad) % g.stride;
    count = first < taps ? ceil_div(taps - first, g.stride) : 0;
    last = first + (count - 1) * g.stride;
    origin = (remainder + g.pad) / g.stride - (count - 1);
  }
};

}  // namespace
}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int32_t hast_depthwise_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                    int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                    int64_t s, int32_t stride, int32_t pad, int32_t accumulate, void* stream) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, stride, pad);
  if (any_null(dx, dy, weight, stream) || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < PackedBytes(g)) return HAST_EWORKSPACE;
  const float* taps = Packed(workspace, weight, g);
  for_bands(stream, n, h, w * c, [&](int64_t image, int64_t begin, int64_t end) {
    for (int64_t i = 0; i < smaller(g.stride, h); ++i) {
      const Phase row(i, r, g);
      for (int64_t j = 0; j < smaller(g.stride, w); ++j) {
        const Phase column(j, s, g);
        Run({.out = dx + ((image * h + i) * w + j) * c,
             .out_row_step = g.stride * w * c,
             .out_step = g.stride * c,
             .count = ceil_div(w - j, g.stride),
             .in = dy + image * g.p * g.q * c,
             .height = g.p,
             .width = g.q,
             .top = row.origin,
             .column = column.origin,
             .step = 1,
             .weight = taps + (row.last * s + column.last) * conv::kLanes,
             .filter_taps = r * s,
             .weight_row_step = -g.stride * s * conv::kLanes,
             .weight_tap_step = -g.stride * conv::kLanes,
             .rows = column.count > 0 ? row.count : 0,
             .taps = column.count,
             .c = c,
             .accumulate = accumulate != 0,
             .foresee = Foresees(g),
             .stream = accumulate == 0 && Streams(g, dx)},
            ceil_div(larger(0, begin - i), g.stride), ceil_div(larger(0, end - i), g.stride));
      }
    }
  });
  return HAST_OK;
}

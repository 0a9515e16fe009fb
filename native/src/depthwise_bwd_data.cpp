/* Data gradient of the depthwise convolution.
 *
 *   dx[n,i,j,c] = sum_{u,v} dy[n, (i + pad - u) / stride, (j + pad - v) / stride, c] weight[c,u,v]
 *
 * over the taps whose quotients are whole. Shapes: dy [n,p,q,c], weight [c,r,s,1], dx [n,h,w,c]. A sum of at most
 * ceil(r / stride) ceil(s / stride) terms in float32, always in the same order, the old dx added last. 4 bytes read per
 * dy and 4 written per dx (8 when accumulating).
 *
 * All the columns j of one remainder modulo the stride meet the same taps, at consecutive columns of dy: each remainder
 * is a row of the forward map with stride 1 and the taps reversed. Tasks are groups of rows of dx. */
#include "depthwise.h"

using namespace hast;
using namespace hast::depthwise;

int32_t hast_depthwise_bwd_data_f32(float* dx, const float* dy, const float* weight, void* workspace,
                                    int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                    int64_t s, int32_t stride, int32_t pad, int32_t accumulate, void* stream) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, stride, pad);
  if (any_null(dx, dy, weight, stream) || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < TransposedBytes(g)) return HAST_EWORKSPACE;
  const float* taps = Transposed(workspace, weight, g);
  for_items(stream, n * h, w * c, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t line = row % h + g.pad;
      /* Rows of dy whose windows hold the line. */
      const int64_t first = line < r ? 0 : ceil_div(line - r + 1, g.stride);
      const int64_t rows = larger(0, smaller(g.p, line / g.stride + 1) - first);
      for (int64_t j = 0; j < smaller(g.stride, w); ++j) {
        const int64_t place = j + g.pad;
        const int64_t v = place % g.stride;
        const int64_t met = v < s ? ceil_div(s - v, g.stride) : 0;
        const int64_t last = v + (met - 1) * g.stride;
        Run({.out = dx + (row * w + j) * c,
             .out_step = g.stride * c,
             .count = ceil_div(w - j, g.stride),
             .in = dy + (row / h * g.p + first) * g.q * c,
             .in_row_step = g.q * c,
             .width = g.q,
             .column = place / g.stride - (met - 1),
             .step = 1,
             .weight = taps + ((line - first * g.stride) * s + last) * c,
             .weight_row_step = -g.stride * s * c,
             .weight_tap_step = -g.stride * c,
             .rows = met > 0 ? rows : 0,
             .taps = met,
             .c = c,
             .accumulate = accumulate != 0});
      }
    }
  });
  return HAST_OK;
}

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
  const bool past = accumulate == 0 && Streams(dx, n * h * w * c, n * g.p * g.q * c, c);
  /* The taps of a row or column of dx: every stride-th from `first` on, `count` of them. */
  struct Phase {
    int64_t first, count, origin;
    Phase(int64_t at, const Geometry& g, int64_t taps)
        : first((at + g.pad) % g.stride),
          count(first < taps ? ceil_div(taps - first, g.stride) : 0),
          origin((at + g.pad) / g.stride - (count - 1)) {}
    int64_t last(const Geometry& g) const { return first + (count - 1) * g.stride; }
  };
  for_bands(stream, n, h, w * c, [&](int64_t image, int64_t begin, int64_t end) {
    for (int64_t i = 0; i < smaller(g.stride, h); ++i) {
      const Phase row(i, g, r);
      for (int64_t j = 0; j < smaller(g.stride, w); ++j) {
        const Phase column(j, g, s);
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
             .weight = taps + (row.last(g) * s + column.last(g)) * c,
             .weight_row_step = -g.stride * s * c,
             .weight_tap_step = -g.stride * c,
             .rows = column.count > 0 ? row.count : 0,
             .taps = column.count,
             .c = c,
             .accumulate = accumulate != 0,
             .foresee = n * (h * w + g.p * g.q) * c > (3 << 20),
             .stream = past},
            ceil_div(larger(0, begin - i), g.stride), ceil_div(larger(0, end - i), g.stride));
      }
    }
  });
  return HAST_OK;
}

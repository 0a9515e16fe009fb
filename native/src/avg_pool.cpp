// Average pooling, and its adjoint.
//
//   y[n, i, j] = sum over the r x s window of x from (i stride_h - top, j stride_w - left) on, / cells
//   dx = sum over the windows that hold it of dy / cells
//   with cells those of the window, or those that are no padding
//
// Shapes: x [n, h, w, c], y [n, p, q, c].
// Rounding: sums in float32, backward of quotients.
// Determinism: an element is one sum in row-major order.
// Bytes per output element: 4 + 4 stride_h stride_w, either way.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"
#include "portable/pooling.h"

namespace hast {
namespace {

// Channels at a time: sums stay in registers or the nearest cache.
constexpr int64_t kTile = 64;

HAST_CLONES void average(float* y, const float* x, const Pooling& a, bool with_padding, int64_t begin, int64_t end) {
  alignas(64) float sums[kTile];
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = begin; row < end; row++) {
    const int64_t i = row % a.p;
    const float* image = x + row / a.p * a.h * a.w * a.c;
    for (int64_t j = 0; j < a.q; j++) {
      const float cells = a.cells(i, j, with_padding);
      for (int64_t first = 0; first < a.c; first += kTile) {
        const int64_t width = smaller(kTile, a.c - first);
        for (int64_t k = 0; k < width; k++) sums[k] = 0.0f;
        for (int64_t u = rows.first_held(i); u < rows.end_held(i); u++) {
          for (int64_t v = columns.first_held(j); v < columns.end_held(j); v++) {
            const float* from = image + (u * a.w + v) * a.c + first;
            HAST_INDEPENDENT
            for (int64_t k = 0; k < width; k++) sums[k] += from[k];
          }
        }
        float* to = y + (row * a.q + j) * a.c + first;
        HAST_INDEPENDENT
        for (int64_t k = 0; k < width; k++) to[k] = sums[k] / cells;
      }
    }
  }
}

HAST_CLONES void gather(float* dx, const float* dy, const Pooling& a, bool with_padding, int64_t begin, int64_t end) {
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = begin; row < end; row++) {
    const int64_t i = row % a.h;
    for (int64_t j = 0; j < a.w; j++) {
      float* sum = dx + (row * a.w + j) * a.c;
      for (int64_t k = 0; k < a.c; k++) sum[k] = 0.0f;
      for (int64_t u = rows.first_holding(i); u < rows.end_holding(i); u++) {
        for (int64_t v = columns.first_holding(j); v < columns.end_holding(j); v++) {
          const float* from = dy + ((row / a.h * a.p + u) * a.q + v) * a.c;
          const float cells = a.cells(u, v, with_padding);
          HAST_INDEPENDENT
          for (int64_t k = 0; k < a.c; k++) sum[k] += from[k] / cells;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_avg_pool_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                              int64_t s, const int32_t* window, int32_t count_include_pad, void* stream) noexcept {
  const Pooling pooling(n, h, w, c, r, s, window);
  if (!valid::avg_pool(y, x, pooling, stream)) return HAST_EARGUMENT;
  for_items(stream, n * pooling.p, pooling.q * c,
            [&](int64_t begin, int64_t end) { average(y, x, pooling, count_include_pad != 0, begin, end); });
  return HAST_OK;
}

int32_t hast_avg_pool_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                              int64_t s, const int32_t* window, int32_t count_include_pad, void* stream) noexcept {
  const Pooling pooling(n, h, w, c, r, s, window);
  if (!valid::avg_pool(dx, dy, pooling, stream)) return HAST_EARGUMENT;
  for_items(stream, n * h, w * c,
            [&](int64_t begin, int64_t end) { gather(dx, dy, pooling, count_include_pad != 0, begin, end); });
  return HAST_OK;
}

// Max pooling, and its adjoint.
//
//   y[n, i, j] = max over the r x s window of x from (i stride_h - top, j stride_w - left) on
//   dx = sum of the dy that it won
//
// Shapes: x [n, h, w, c], y and index [n, p, q, c].
// Rounding: none forward; backward sums of at most ceil(r / stride_h) ceil(s / stride_w) values in float32.
// Determinism: an element is one sum in row-major order.
// Bytes per output element: 5 + 4 stride_h stride_w, either way.
//
// The forward pass notes which cell of the window won, so that the backward pass gathers: every dx element looks at the
// windows that hold it.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"
#include "portable/pooling.h"

namespace hast {
namespace {

// Channels at a time.
constexpr int64_t kTile = 64;

// One output pixel's channels [first, first + width). The running maxima stay in registers or the nearest cache, and
// the winners are as wide as the values until the end, so that all is one vector width.
HAST_INLINE void largest_of(float* y, uint8_t* index, const float* image, const Pooling& a, int64_t top, int64_t left,
                            int64_t width) {
  alignas(64) float best[kTile];
  alignas(64) int32_t winner[kTile];
  const int64_t u0 = larger(0, top), v0 = larger(0, left);
  const float* start = image + (u0 * a.w + v0) * a.c;
  for (int64_t i = 0; i < width; i++) {
    best[i] = start[i];
    winner[i] = static_cast<int32_t>((u0 - top) * a.s + v0 - left);
  }
  for (int64_t u = u0; u < smaller(a.h, top + a.r); u++) {
    for (int64_t v = v0; v < smaller(a.w, left + a.s); v++) {
      const float* from = image + (u * a.w + v) * a.c;
      const int32_t cell = static_cast<int32_t>((u - top) * a.s + v - left);
      HAST_INDEPENDENT
      for (int64_t i = 0; i < width; i++) {
        const float value = from[i], before = best[i];
        const bool wins = (value > before) | ((value != value) & (before == before));
        best[i] = wins ? value : before;
        winner[i] = wins ? cell : winner[i];
      }
    }
  }
  for (int64_t i = 0; i < width; i++) {
    y[i] = best[i];
    index[i] = static_cast<uint8_t>(winner[i]);
  }
}

HAST_CLONES void largest(float* y, uint8_t* index, const float* x, const Pooling& a, int64_t begin, int64_t end) {
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < a.q; j++) {
      for (int64_t first = 0; first < a.c; first += kTile) {
        const int64_t to = (row * a.q + j) * a.c + first;
        largest_of(y + to, index + to, x + row / a.p * a.h * a.w * a.c + first, a, rows.start(row % a.p),
                   columns.start(j), smaller(kTile, a.c - first));
      }
    }
  }
}

HAST_CLONES void gather(float* dx, const float* dy, const uint8_t* index, const Pooling& a, int64_t begin,
                        int64_t end) {
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = begin; row < end; row++) {
    const int64_t i = row % a.h;
    for (int64_t j = 0; j < a.w; j++) {
      float* sum = dx + (row * a.w + j) * a.c;
      for (int64_t k = 0; k < a.c; k++) sum[k] = 0.0f;
      for (int64_t u = rows.first_holding(i); u < rows.end_holding(i); u++) {
        for (int64_t v = columns.first_holding(j); v < columns.end_holding(j); v++) {
          const int64_t from = ((row / a.h * a.p + u) * a.q + v) * a.c;
          const uint8_t cell = static_cast<uint8_t>((i - rows.start(u)) * a.s + j - columns.start(v));
          HAST_INDEPENDENT
          for (int64_t k = 0; k < a.c; k++) sum[k] += index[from + k] == cell ? dy[from + k] : 0.0f;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_max_pool_fwd_f32(float* y, uint8_t* index, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                              int64_t r, int64_t s, const int32_t* window, void* stream) noexcept {
  const Pooling pooling(n, h, w, c, r, s, window);
  if (!valid::max_pool(y, x, index, pooling, stream)) return HAST_EARGUMENT;
  for_items(stream, n * pooling.p, pooling.q * c,
            [&](int64_t begin, int64_t end) { largest(y, index, x, pooling, begin, end); });
  return HAST_OK;
}

int32_t hast_max_pool_bwd_f32(float* dx, const float* dy, const uint8_t* index, int64_t n, int64_t h, int64_t w,
                              int64_t c, int64_t r, int64_t s, const int32_t* window, void* stream) noexcept {
  const Pooling pooling(n, h, w, c, r, s, window);
  if (!valid::max_pool(dx, dy, index, pooling, stream)) return HAST_EARGUMENT;
  for_items(stream, n * h, w * c, [&](int64_t begin, int64_t end) { gather(dx, dy, index, pooling, begin, end); });
  return HAST_OK;
}

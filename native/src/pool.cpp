// Global average pooling, its adjoint, and the sum of pixels.
//
//   y[n, c] = mean over hw of x;  dx = dy / hw repeated;  y[n, c] = sum over hw of x, or of x factor
//
// Shapes: x and factor [n, hw, c], y [n, c].
// Rounding: sums in float32 over 64 rows, contraction allowed; in double across, rounded once.
// Determinism: a sum is always in the same order.
// Bytes per element: 4 either way, +4 for a factor.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"

namespace hast {
namespace {

constexpr int64_t kTile = 256;
constexpr int64_t kRows = 64;

// y = the sum over hw, of products where kFactor says so, divided.
template <bool kFactor>
HAST_CLONES void pool_images(float* y, const float* x, const float* factor, int64_t n, int64_t hw, int64_t c,
                             double divisor) {
  alignas(64) float sums[kTile];
  alignas(64) double all[kTile];
  for (int64_t image = 0; image < n; image++) {
    for (int64_t first = 0; first < c; first += kTile) {
      const int64_t width = smaller(kTile, c - first);
      for (int64_t i = 0; i < width; i++) all[i] = 0.0;
      for (int64_t row = 0; row < hw; row += kRows) {
        for (int64_t i = 0; i < width; i++) sums[i] = 0.0f;
        for (int64_t r = row; r < smaller(hw, row + kRows); r++) {
          const int64_t start = (image * hw + r) * c + first;
          HAST_INDEPENDENT
          for (int64_t i = 0; i < width; i++) sums[i] += kFactor ? x[start + i] * factor[start + i] : x[start + i];
        }
        for (int64_t i = 0; i < width; i++) all[i] += static_cast<double>(sums[i]);
      }
      float* out = y + image * c + first;
      for (int64_t i = 0; i < width; i++) out[i] = static_cast<float>(all[i] / divisor);
    }
  }
}

HAST_CLONES void spread_images(float* dx, const float* dy, int64_t n, int64_t hw, int64_t c) {
  const float count = static_cast<float>(hw);
  for (int64_t image = 0; image < n; image++) {
    const float* from = dy + image * c;
    for (int64_t row = 0; row < hw; row++) {
      float* to = dx + (image * hw + row) * c;
      HAST_INDEPENDENT
      for (int64_t i = 0; i < c; i++) to[i] = from[i] / count;
    }
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_global_avg_pool_fwd_f32(float* y, const float* x, int64_t n, int64_t hw, int64_t c,
                                     void* stream) noexcept {
  if (!valid::global_pool(y, x, n, hw, c, stream)) return HAST_EARGUMENT;
  for_items(stream, n, hw * c, [&](int64_t begin, int64_t end) {
    pool_images<false>(y + begin * c, x + begin * hw * c, nullptr, end - begin, hw, c, static_cast<double>(hw));
  });
  return HAST_OK;
}

int32_t hast_pixel_sum_fwd_f32(float* y, const float* x, const float* factor, int64_t n, int64_t hw, int64_t c,
                               void* stream) noexcept {
  if (!valid::global_pool(y, x, n, hw, c, stream)) return HAST_EARGUMENT;
  for_items(stream, n, hw * c, [&](int64_t begin, int64_t end) {
    const int64_t start = begin * hw * c;
    if (factor != nullptr) {
      pool_images<true>(y + begin * c, x + start, factor + start, end - begin, hw, c, 1.0);
    } else {
      pool_images<false>(y + begin * c, x + start, nullptr, end - begin, hw, c, 1.0);
    }
  });
  return HAST_OK;
}

int32_t hast_global_avg_pool_bwd_f32(float* dx, const float* dy, int64_t n, int64_t hw, int64_t c,
                                     void* stream) noexcept {
  if (!valid::global_pool(dx, dy, n, hw, c, stream)) return HAST_EARGUMENT;
  for_items(stream, n, hw * c, [&](int64_t begin, int64_t end) {
    spread_images(dx + begin * hw * c, dy + begin * c, end - begin, hw, c);
  });
  return HAST_OK;
}

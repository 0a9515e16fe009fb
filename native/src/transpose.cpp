// Matrices transposed.
//
//   y[n, column, row] = x[n, row, column]
//
// Shapes: x [n, rows, columns], y [n, columns, rows].
// Rounding: none.
// Determinism: copies only.
// Bytes per element: 8.
//
// A strip of columns at a time, as wide as a cache line.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"

namespace hast {
namespace {

constexpr int64_t kStrip = 16;

HAST_CLONES void transpose(float* y, const float* x, int64_t rows, int64_t columns, int64_t width) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t column = 0; column < width; column++) y[column * rows + row] = x[row * columns + column];
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_transpose_fwd_f32(float* y, const float* x, int64_t n, int64_t rows, int64_t columns,
                               void* stream) noexcept {
  if (!valid::transpose(y, x, n, rows, columns, stream)) return HAST_EARGUMENT;
  const int64_t strips = ceil_div(columns, kStrip);
  for_items(stream, n * strips, rows * smaller(kStrip, columns), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; item++) {
      const int64_t matrix = item / strips * rows * columns, first = item % strips * kStrip;
      transpose(y + matrix + first * rows, x + matrix + first, rows, columns, smaller(kStrip, columns - first));
    }
  });
  return HAST_OK;
}

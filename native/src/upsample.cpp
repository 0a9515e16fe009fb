// Nearest-neighbour upsampling by 2, and its adjoint.
//
//   y[n, i, j] = x[n, i / 2, j / 2];  dx = the sum of the four dy that read it
//
// Shapes: x [n, h, w, c], y [n, 2h, 2w, c].
// Rounding: none forward; backward in float32, the sums of the two rows added.
// Determinism: a sum is always in the same order.
// Bytes per input element: 4 + 16.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"

namespace hast {
namespace {

// One input row makes two output rows.
void repeat_row(float* y, const float* x, int64_t w, int64_t c) {
  for (int64_t j = 0; j < w; j++) {
    copy_floats(y + 2 * j * c, x + j * c, c);
    copy_floats(y + (2 * j + 1) * c, x + j * c, c);
  }
  copy_floats(y + 2 * w * c, y, 2 * w * c);
}

HAST_CLONES void add_rows(float* dx, const float* dy, int64_t rows, int64_t w, int64_t c) {
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t j = 0; j < w; j++) {
      const float* upper = dy + (2 * row * 2 * w + 2 * j) * c;
      const float* lower = upper + 2 * w * c;
      float* out = dx + (row * w + j) * c;
      HAST_INDEPENDENT
      for (int64_t i = 0; i < c; i++) out[i] = (upper[i] + upper[c + i]) + (lower[i] + lower[c + i]);
    }
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_upsample_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                              void* stream) noexcept {
  if (!valid::upsample(y, x, n, h, w, c, stream)) return HAST_EARGUMENT;
  for_items(stream, n * h, 4 * w * c, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) repeat_row(y + row * 4 * w * c, x + row * w * c, w, c);
  });
  return HAST_OK;
}

int32_t hast_upsample_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c,
                              void* stream) noexcept {
  if (!valid::upsample(dx, dy, n, h, w, c, stream)) return HAST_EARGUMENT;
  for_items(stream, n * h, 4 * w * c, [&](int64_t begin, int64_t end) {
    add_rows(dx + begin * w * c, dy + begin * 4 * w * c, end - begin, w, c);
  });
  return HAST_OK;
}

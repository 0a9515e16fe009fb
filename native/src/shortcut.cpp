// ResNet's shortcut A: every stride-th pixel, zero channels in front and behind; and its adjoint.
//
//   y[n, i, j, o] = x[n, i stride, j stride, o - front] where that channel exists, else 0;  front = (k - c) / 2
//
// Shapes: x [n, h, w, c], y [n, ceil(h / stride), ceil(w / stride), k].
// Rounding: none.
// Determinism: copies only.
// Bytes per element: 4 written, and 4 read where it is not a zero.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"

using namespace hast;

int32_t hast_shortcut_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  const Shortcut a(n, h, w, c, k, stride);
  if (!valid::shortcut(y, x, a, stream)) return HAST_EARGUMENT;
  const int64_t p = a.p(), q = a.q(), front = a.front;
  for_items(stream, n * p, q * k, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* from = x + (row / p * h + row % p * stride) * w * c;
      for (int64_t j = 0; j < q; j++) {
        float* to = y + (row * q + j) * k;
        clear_floats(to, front);
        copy_floats(to + front, from + j * stride * c, c);
        clear_floats(to + front + c, k - front - c);
      }
    }
  });
  return HAST_OK;
}

int32_t hast_shortcut_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  const Shortcut a(n, h, w, c, k, stride);
  if (!valid::shortcut(dx, dy, a, stream)) return HAST_EARGUMENT;
  const int64_t p = a.p(), q = a.q(), front = a.front;
  for_items(stream, n * h, w * c, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t i = row % h;
      float* to = dx + row * w * c;
      if (i % stride != 0) {
        clear_floats(to, w * c);
        continue;
      }
      const float* from = dy + (row / h * p + i / stride) * q * k + front;
      for (int64_t j = 0; j < w; j++) {
        if (j % stride == 0) {
          copy_floats(to + j * c, from + j / stride * k, c);
        } else {
          clear_floats(to + j * c, c);
        }
      }
    }
  });
  return HAST_OK;
}

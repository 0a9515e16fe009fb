// ResNet's shortcut A: every stride-th pixel, zero channels in front and behind; and its adjoint.
// [n, h, w, c] <-> [n, ceil(h / stride), ceil(w / stride), k], front = (k - c) / 2. Copies only.
#include <hast/layer.h>

#include <cstring>

#include "kernel.h"

using namespace hast;

namespace {

void copy_pixel(float* to, const float* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

void clear_pixel(float* to, int64_t count) { std::memset(to, 0, static_cast<size_t>(count) * sizeof(float)); }

}  // namespace

int32_t hast_shortcut_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  if (any_null(y, x, stream) || any_below_one(n, h, w, c, k) || k < c || stride < 1) return HAST_EARGUMENT;
  const int64_t p = ceil_div(h, stride), q = ceil_div(w, stride), front = (k - c) / 2;
  for_items(stream, n * p, q * k, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* from = x + (row / p * h + row % p * stride) * w * c;
      for (int64_t j = 0; j < q; j++) {
        float* to = y + (row * q + j) * k;
        clear_pixel(to, front);
        copy_pixel(to + front, from + j * stride * c, c);
        clear_pixel(to + front + c, k - front - c);
      }
    }
  });
  return HAST_OK;
}

int32_t hast_shortcut_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  if (any_null(dx, dy, stream) || any_below_one(n, h, w, c, k) || k < c || stride < 1) return HAST_EARGUMENT;
  const int64_t p = ceil_div(h, stride), q = ceil_div(w, stride), front = (k - c) / 2;
  for_items(stream, n * h, w * c, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t i = row % h;
      float* to = dx + row * w * c;
      if (i % stride != 0) {
        clear_pixel(to, w * c);
        continue;
      }
      const float* from = dy + (row / h * p + i / stride) * q * k + front;
      for (int64_t j = 0; j < w; j++) {
        if (j % stride == 0) {
          copy_pixel(to + j * c, from + j / stride * k, c);
        } else {
          clear_pixel(to + j * c, c);
        }
      }
    }
  });
  return HAST_OK;
}

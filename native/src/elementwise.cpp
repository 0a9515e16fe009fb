// Element-wise kernels and the step counter (elementwise.h has the formulas).
//
// Shapes: [n]; add and mul [n, hw, c] and [n, c].
// Rounding: every operation on its own; tanh is the C library's.
// Determinism: an element depends on its own inputs alone.
// Bytes per element: fill 4; scale, tanh 8; add, mul, tanh_bwd, sign_perturb 12; add and mul of what is repeated 8.
#include "portable/arguments/elementwise.h"

#include <hast/elementwise.h>

#include <cmath>

#include "kernel.h"

namespace hast {
namespace {

HAST_CLONES void fill(float* y, int64_t n, float value) {
  for (int64_t i = 0; i < n; i++) y[i] = value;
}

struct Add {
  HAST_INLINE float operator()(float a, float b) const { return a + b; }
};
struct Multiply {
  HAST_INLINE float operator()(float a, float b) const { return a * b; }
};

template <class Function>
HAST_CLONES void combine(float* y, const float* a, const float* b, int64_t n, Function function) {
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = function(a[i], b[i]);
}

// Rows [begin, end) of [n hw, c]; row r meets row r / hw of b.
template <class Function>
HAST_CLONES void combine_rows(float* y, const float* a, const float* b, int64_t begin, int64_t end, int64_t hw,
                              int64_t c, Function function) {
  for (int64_t row = begin; row < end; row++) {
    const float *left = a + row * c, *right = b + row / hw * c;
    float* to = y + row * c;
    HAST_INDEPENDENT
    for (int64_t i = 0; i < c; i++) to[i] = function(left[i], right[i]);
  }
}

template <class Function>
int32_t combine(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c, void* stream,
                Function function) {
  if (!valid::combine(y, a, b, n, hw, c, stream)) return HAST_EARGUMENT;
  if (hw == 1) {
    for_ranges(stream, n * c,
               [&](int64_t begin, int64_t length) { combine(y + begin, a + begin, b + begin, length, function); });
  } else {
    for_items(stream, n * hw, c,
              [&](int64_t begin, int64_t end) { combine_rows(y, a, b, begin, end, hw, c, function); });
  }
  return HAST_OK;
}

HAST_CLONES void scale(float* y, const float* x, int64_t n, float factor) {
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = factor * x[i];
}

HAST_CLONES void tanh_gradient(float* dx, const float* dy, const float* y, int64_t n) {
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

// Neither comparison holds for 0 and NaN: both are then their own sign.
HAST_CLONES void perturb(float* y, const float* x, const float* g, int64_t n, float epsilon) {
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    float sign = g[i];
    sign = g[i] > 0.0f ? 1.0f : sign;
    sign = g[i] < 0.0f ? -1.0f : sign;
    y[i] = x[i] + epsilon * sign;
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_fill_fwd_f32(float* y, int64_t n, float value, void* stream) noexcept {
  if (!valid::elementwise(stream, y, n)) return HAST_EARGUMENT;
  for_ranges(stream, n, [&](int64_t begin, int64_t length) { fill(y + begin, length, value); });
  return HAST_OK;
}

int32_t hast_add_fwd_f32(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c,
                         void* stream) noexcept {
  return combine(y, a, b, n, hw, c, stream, Add{});
}

int32_t hast_mul_fwd_f32(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c,
                         void* stream) noexcept {
  return combine(y, a, b, n, hw, c, stream, Multiply{});
}

int32_t hast_scale_fwd_f32(float* y, const float* x, int64_t n, float factor, void* stream) noexcept {
  if (!valid::elementwise(stream, y, n, x)) return HAST_EARGUMENT;
  for_ranges(stream, n, [&](int64_t begin, int64_t length) { scale(y + begin, x + begin, length, factor); });
  return HAST_OK;
}

int32_t hast_tanh_fwd_f32(float* y, const float* x, int64_t n, void* stream) noexcept {
  if (!valid::elementwise(stream, y, n, x)) return HAST_EARGUMENT;
  for_ranges(stream, n, [&](int64_t begin, int64_t length) {
    for (int64_t i = begin; i < begin + length; i++) y[i] = std::tanh(x[i]);
  });
  return HAST_OK;
}

int32_t hast_tanh_bwd_f32(float* dx, const float* dy, const float* y, int64_t n, void* stream) noexcept {
  if (!valid::elementwise(stream, dx, n, dy, y)) return HAST_EARGUMENT;
  for_ranges(stream, n,
             [&](int64_t begin, int64_t length) { tanh_gradient(dx + begin, dy + begin, y + begin, length); });
  return HAST_OK;
}

int32_t hast_sign_perturb_fwd_f32(float* y, const float* x, const float* g, int64_t n, float epsilon,
                                  void* stream) noexcept {
  if (!valid::elementwise(stream, y, n, x, g)) return HAST_EARGUMENT;
  for_ranges(stream, n,
             [&](int64_t begin, int64_t length) { perturb(y + begin, x + begin, g + begin, length, epsilon); });
  return HAST_OK;
}

int32_t hast_counter_step_i64(int64_t* counter, void* stream) noexcept {
  if (!valid::counter_step(counter, stream)) return HAST_EARGUMENT;
  *counter += 1;
  return HAST_OK;
}

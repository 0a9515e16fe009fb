// Activations on their own, and their gradients.
//
//   y = f(x);  dx = dy f'(x)    (elementwise.h has every f, portable/activation.h its operations)
//
// Shapes: [n].
// Rounding: every operation on its own; exp and erf are the C library's.
// Determinism: an element depends on its own inputs alone.
// Bytes per element: 8 forward, 12 backward.
#include "portable/activation.h"

#include <hast/elementwise.h>

#include "kernel.h"
#include "portable/arguments/elementwise.h"

namespace hast {
namespace {

template <class Function>
HAST_CLONES void activate_range(float* y, const float* x, int64_t n, const Function& activation) {
  const Function function = activation;
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = function.of(x[i]);
}

template <class Function>
HAST_CLONES void gradient_range(float* dx, const float* dy, const float* x, int64_t n, const Function& activation) {
  const Function function = activation;
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * function.slope(x[i]);
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_activation_fwd_f32(float* y, const float* x, int64_t n, int32_t kind, float slope, float ceiling,
                                void* stream) noexcept {
  if (!valid::elementwise(stream, y, n, x)) return HAST_EARGUMENT;
  return with_activation(kind, {slope, ceiling}, [&](const auto& activation) {
    for_ranges(stream, n,
               [&](int64_t begin, int64_t length) { activate_range(y + begin, x + begin, length, activation); });
    return HAST_OK;
  });
}

int32_t hast_activation_bwd_f32(float* dx, const float* dy, const float* x, int64_t n, int32_t kind, float slope,
                                float ceiling, void* stream) noexcept {
  if (!valid::elementwise(stream, dx, n, dy, x)) return HAST_EARGUMENT;
  return with_activation(kind, {slope, ceiling}, [&](const auto& activation) {
    for_ranges(stream, n, [&](int64_t begin, int64_t length) {
      gradient_range(dx + begin, dy + begin, x + begin, length, activation);
    });
    return HAST_OK;
  });
}

// SGD with momentum.
//
//   d = g + decay p;  buffer = momentum buffer + d
//   p -= lr rate (nesterov ? d + momentum buffer : buffer),  rate = rates[i], or 1 without rates
//
// Shapes: [n].
// Rounding: in float32, contraction allowed.
// Determinism: an element depends on its own inputs alone.
// Bytes per element: 20, 24 with rates.
#include <hast/optim.h>

#include "kernel.h"
#include "portable/arguments/optim.h"

namespace hast {
namespace {

template <bool kNesterov, bool kRates>
HAST_CLONES void step_range(float* __restrict p, float* __restrict buffer, const float* __restrict g,
                            const float* __restrict rates, int64_t n, float lr, float momentum, float decay) {
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    const float d = g[i] + decay * p[i];
    const float b = momentum * buffer[i] + d;
    buffer[i] = b;
    p[i] -= (kRates ? lr * rates[i] : lr) * (kNesterov ? d + momentum * b : b);
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_sgd_step_f32(float* p, float* buffer, const float* g, const float* lr, const float* rates, int64_t n,
                          float momentum, float decay, int32_t nesterov, void* stream) noexcept {
  if (!valid::sgd_step(p, buffer, g, lr, n, stream)) return HAST_EARGUMENT;
  const auto step = nesterov != 0 ? (rates != nullptr ? step_range<true, true> : step_range<true, false>)
                                  : (rates != nullptr ? step_range<false, true> : step_range<false, false>);
  const float rate = *lr;
  for_ranges(stream, n, [&](int64_t i, int64_t length) {
    step(p + i, buffer + i, g + i, rates != nullptr ? rates + i : nullptr, length, rate, momentum, decay);
  });
  return HAST_OK;
}

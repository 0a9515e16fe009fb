// Adam (Kingma and Ba 2015, PyTorch's form), t = *step + 1.
//
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
//
// Shapes: [n].
// Rounding: the factors that depend on t in double, rounded once; the rest in float32, contraction allowed.
// Determinism: an element depends on its own inputs alone.
// Bytes per element: 28.
#include <hast/optim.h>

#include "kernel.h"
#include "portable/arguments/optim.h"
#include "portable/steps.h"

namespace hast {
namespace {

struct Factors {
  float beta1, rest1, beta2, rest2, rate, inverse_root, epsilon;
};

HAST_CLONES void step_range(float* __restrict p, float* __restrict m, float* __restrict v, const float* __restrict g,
                            int64_t n, const Factors& factors) {
  const Factors f = factors;
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    const float mean = f.beta1 * m[i] + f.rest1 * g[i];
    const float square = f.beta2 * v[i] + f.rest2 * (g[i] * g[i]);
    m[i] = mean;
    v[i] = square;
    p[i] -= f.rate * mean / (__builtin_sqrtf(square) * f.inverse_root + f.epsilon);
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_adam_step_f32(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step,
                           int64_t n, float beta1, float beta2, float epsilon, void* stream) noexcept {
  if (!valid::adam_step(p, m, v, g, lr, step, n, beta1, beta2, epsilon, stream)) return HAST_EARGUMENT;
  const int64_t t = *step + 1;
  const Factors factors{
      beta1, adam_rest(beta1), beta2, adam_rest(beta2), adam_rate(*lr, beta1, t), adam_inverse_root(beta2, t), epsilon};
  for_ranges(stream, n, [&](int64_t i, int64_t length) { step_range(p + i, m + i, v + i, g + i, length, factors); });
  return HAST_OK;
}

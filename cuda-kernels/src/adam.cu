// Adam (Kingma & Ba 2015, PyTorch's form): m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon),  t = *step + 1
//
// Shapes [n]: one launch over all parameters, which are one vector. The two factors that depend on t are computed in
// double and rounded once, each by one thread of every block (steps.h); square root and division are IEEE's. 16 bytes a
// thread and array where all addresses allow it. 28 bytes per element.
#include <hast/optim.h>

#include "adam.cuh"
#include "portable/arguments/optim.h"

using namespace hast;

namespace {

__global__ void step_all(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step, int64_t n,
                         int64_t quads, Adam adam) {
  adam_step(p, m, v, g, lr, step, n, quads, adam);
}

}  // namespace

int32_t hast_adam_step_f32(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step,
                           int64_t n, float beta1, float beta2, float epsilon, void* stream) noexcept {
  if (!valid::adam_step(p, m, v, g, lr, step, n, beta1, beta2, epsilon, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, p, m, v, g);
  return launch(step_all, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, p, m, v, g, lr, step, n, quads,
                adam_of(beta1, beta2, epsilon));
}

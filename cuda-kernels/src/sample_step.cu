// One update of synthesis' samples: Adam, the plateau scheduler of its learning rate, the counter (optim.h has the
// formulas).
//
// Shapes [n]: one launch. Elements are updated as in adam.cu. Every block reads the learning rate and the counter
// before it takes its ticket, so the last block may move them on. 28 bytes per element.
#include <hast/optim.h>

#include "adam.cuh"
#include "portable/arguments/optim.h"

using namespace hast;

namespace {

__global__ void step_samples(float* p, float* m, float* v, float* state, int64_t* step, const float* g,
                             const float* loss, int64_t n, int64_t quads, Adam adam, Plateau plateau,
                             unsigned* ticket) {
  adam_step(p, m, v, g, state, step, n, quads, adam);
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) {
    step_plateau(state, *loss, plateau);
    *step += 1;
  }
}

}  // namespace

int32_t hast_sample_step_f32(float* p, float* m, float* v, float* state, int64_t* step, const float* g,
                             const float* loss, int64_t n, float beta1, float beta2, float epsilon, float factor,
                             float threshold, float min_lr, float lr_epsilon, int32_t patience, void* stream) noexcept {
  if (!valid::adam_step(p, m, v, g, state, step, n, beta1, beta2, epsilon, stream)) return HAST_EARGUMENT;
  if (!valid::sample_step(loss, patience)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, p, m, v, g);
  const Plateau plateau{factor, threshold, min_lr, lr_epsilon, patience};
  return launch(step_samples, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, p, m, v, state, step, g,
                loss, n, quads, adam_of(beta1, beta2, epsilon), plateau, s.tickets);
}

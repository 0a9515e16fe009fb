// One update of synthesis' samples: Adam, the plateau scheduler of its learning rate, the counter (optim.h has the
// formulas).
//
// Shapes: [n], state [3].
// Rounding: as in adam.cpp; the scheduler in double from float32 state.
// Determinism: the launching thread moves state and counter on when every element has been updated.
// Bytes per element: 28.
#include <hast/optim.h>

#include "kernel.h"
#include "portable/arguments/optim.h"
#include "portable/steps.h"

using namespace hast;

int32_t hast_sample_step_f32(float* p, float* m, float* v, float* state, int64_t* step, const float* g,
                             const float* loss, int64_t n, float beta1, float beta2, float epsilon, float factor,
                             float threshold, float min_lr, float lr_epsilon, int32_t patience, void* stream) noexcept {
  if (!valid::sample_step(loss, patience)) return HAST_EARGUMENT;
  const int32_t status = hast_adam_step_f32(p, m, v, g, state, step, n, beta1, beta2, epsilon, stream);
  if (status != HAST_OK) return status;
  step_plateau(state, *loss, {factor, threshold, min_lr, lr_epsilon, patience});
  *step += 1;
  return HAST_OK;
}

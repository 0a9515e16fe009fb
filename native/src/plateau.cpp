// ReduceLROnPlateau (mode min, relative threshold, cooldown 0) on device memory: state = {lr, best, bad steps}.
#include <hast/optim.h>

#include "kernel.h"
#include "steps.h"

using namespace hast;

int32_t hast_plateau_step_f32(float* state, const float* loss, float factor, float threshold, float min_lr,
                              float epsilon, int32_t patience, void* stream) noexcept {
  if (any_null(state, loss, stream) || patience < 0) return HAST_EARGUMENT;
  step_plateau(state, *loss, factor, threshold, min_lr, epsilon, patience);
  return HAST_OK;
}

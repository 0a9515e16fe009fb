// ReduceLROnPlateau (mode min, relative threshold, cooldown 0) on device memory: state = {lr, best, bad steps}.
// Evaluated in double from float32 state; a NaN loss is never better than the best, so it counts as bad.
#include <hast/optim.h>

#include "kernel.h"

using namespace hast;

int32_t hast_plateau_step_f32(float* state, const float* loss, float factor, float threshold, float min_lr,
                              float epsilon, int32_t patience, void* stream) noexcept {
  if (any_null(state, loss, stream) || patience < 0) return HAST_EARGUMENT;
  if (static_cast<double>(*loss) < static_cast<double>(state[1]) * (1.0 - static_cast<double>(threshold))) {
    state[1] = *loss;
    state[2] = 0.0f;
  } else {
    state[2] += 1.0f;
  }
  if (state[2] > static_cast<float>(patience)) {
    const double lowered = static_cast<double>(state[0]) * static_cast<double>(factor);
    const double next = lowered > static_cast<double>(min_lr) ? lowered : static_cast<double>(min_lr);
    if (static_cast<double>(state[0]) - next > static_cast<double>(epsilon)) state[0] = static_cast<float>(next);
    state[2] = 0.0f;
  }
  return HAST_OK;
}

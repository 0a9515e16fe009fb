// ReduceLROnPlateau on device memory (optim.h, steps.h). Three values: one thread.
#include <hast/optim.h>

#include "kernel.cuh"
#include "steps.h"

using namespace hast;

namespace {

__global__ void step(float* state, const float* loss, float factor, float threshold, float min_lr, float epsilon,
                     int32_t patience) {
  step_plateau(state, *loss, factor, threshold, min_lr, epsilon, patience);
}

}  // namespace

int32_t hast_plateau_step_f32(float* state, const float* loss, float factor, float threshold, float min_lr,
                              float epsilon, int32_t patience, void* stream) noexcept {
  if (any_null(state, loss) || stream == nullptr || patience < 0) return HAST_EARGUMENT;
  return launch(step, 1, 1, 0, stream_of(stream), state, loss, factor, threshold, min_lr, epsilon, patience);
}

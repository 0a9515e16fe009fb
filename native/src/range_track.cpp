// Moving average of an activation's batch range, in float32, every operation rounded on its own (quantize.h, steps.h).
#include <hast/quantize.h>

#include "kernel.h"
#include "steps.h"

using namespace hast;

int32_t hast_range_track_step_f32(float* range, float* state, const float* batch, float momentum, int32_t rule,
                                  void* stream) noexcept {
  if (any_null(range, state, batch, stream) || rule < 0 || rule > 1) return HAST_EARGUMENT;
  track_range(range, state, batch, momentum, rule);
  return HAST_OK;
}

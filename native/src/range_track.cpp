// Moving average of an activation's batch range (quantize.h has the rules, portable/steps.h the operations).
//
// Shapes: range and batch [2], state [3].
// Rounding: in float32, every operation on its own.
// Determinism: one thread.
// Bytes: 40.
#include <hast/quantize.h>

#include "kernel.h"
#include "portable/arguments/quantize.h"
#include "portable/steps.h"

using namespace hast;

int32_t hast_range_track_step_f32(float* range, float* state, const float* batch, float momentum, int32_t rule,
                                  void* stream) noexcept {
  if (!valid::range_track_step(range, state, batch, rule, stream)) return HAST_EARGUMENT;
  track_range(range, state, batch, momentum, rule);
  return HAST_OK;
}

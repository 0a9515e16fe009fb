// Moving average of an activation's batch range, in float32, every operation rounded on its own.
//   t *= m;  rule 0: state = m state + (1-m) batch, range = state / (1-t);  rule 1: the quotient is kept as the state
#include <hast/quantize.h>

#include "kernel.h"

using namespace hast;

int32_t hast_range_track_step_f32(float* range, float* state, const float* batch, float momentum, int32_t rule,
                                  void* stream) noexcept {
  if (any_null(range, state, batch, stream) || rule < 0 || rule > 1) return HAST_EARGUMENT;
  const float t = state[2] * momentum;
  state[2] = t;
  for (int k = 0; k < 2; k++) {
    const float average = momentum * state[k] + (1.0f - momentum) * batch[k];
    range[k] = average / (1.0f - t);
    state[k] = rule == 0 ? average : range[k];
  }
  return HAST_OK;
}

// Moving average of an activation's batch range (quantize.h, steps.h). Two values: one thread, every operation rounded
// on its own, bit for bit the CPU's.
#include <hast/quantize.h>

#include "kernel.cuh"
#include "portable/arguments/quantize.h"
#include "portable/steps.h"

using namespace hast;

namespace {

__global__ void track(float* range, float* state, const float* batch, float momentum, int32_t rule) {
  track_range(range, state, batch, momentum, rule);
}

}  // namespace

int32_t hast_range_track_step_f32(float* range, float* state, const float* batch, float momentum, int32_t rule,
                                  void* stream) noexcept {
  if (!valid::range_track_step(range, state, batch, rule, stream)) return HAST_EARGUMENT;
  return launch(track, 1, 1, 0, stream_of(stream), range, state, batch, momentum, rule);
}

// What had the lowest loss so far.
//
//   if *loss < *kept_loss: kept = p, *kept_loss = *loss, *kept_at = *now
//
// Shapes: [n].
// Rounding: none.
// Determinism: copies only.
// Bytes per element: 8, or none where the loss is no better.
#include <hast/optim.h>

#include "kernel.h"
#include "portable/arguments/optim.h"

using namespace hast;

int32_t hast_keep_best_step_f32(float* kept, float* kept_loss, int64_t* kept_at, const float* p, const float* loss,
                                const int64_t* now, int64_t n, void* stream) noexcept {
  if (!valid::keep_best_step(kept, kept_loss, kept_at, p, loss, now, n, stream)) return HAST_EARGUMENT;
  if (!(*loss < *kept_loss)) return HAST_OK;
  for_ranges(stream, n, [&](int64_t i, int64_t length) { copy_floats(kept + i, p + i, length); });
  *kept_loss = *loss;
  *kept_at = *now;
  return HAST_OK;
}

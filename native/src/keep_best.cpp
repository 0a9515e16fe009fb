// Keeps what had the lowest loss so far (optim.h has the rule).
// Shapes [n]. Nothing but the losses is read where they are no better; else 8 bytes per element.
#include <hast/optim.h>

#include <cstring>

#include "kernel.h"

using namespace hast;

int32_t hast_keep_best_step_f32(float* kept, float* kept_loss, int64_t* kept_at, const float* p, const float* loss,
                                const int64_t* now, int64_t n, void* stream) noexcept {
  if (any_null(kept, kept_loss, p, loss, stream) || any_null(kept_at, now) || n < 1 || kept == p) return HAST_EARGUMENT;
  if (!(*loss < *kept_loss)) return HAST_OK;
  for_ranges(stream, n, [&](int64_t i, int64_t length) {
    std::memcpy(kept + i, p + i, static_cast<size_t>(length) * sizeof(float));
  });
  *kept_loss = *loss;
  *kept_at = *now;
  return HAST_OK;
}

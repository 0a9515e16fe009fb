// The arguments of <hast/optim.h>.
#ifndef HAST_ARGUMENTS_OPTIM_H
#define HAST_ARGUMENTS_OPTIM_H

#include "arguments.h"

namespace hast::valid {

inline bool adam_step(const float* p, const float* m, const float* v, const float* g, const float* lr,
                      const int64_t* step, int64_t n, float beta1, float beta2, float epsilon, const void* stream) {
  return !any_null(p, m, v, g, lr, step, stream) && n >= 1 && beta1 >= 0.0f && beta1 < 1.0f && beta2 >= 0.0f &&
         beta2 < 1.0f && epsilon >= 0.0f;
}

// Beside those of its Adam step.
inline bool sample_step(const float* loss, int32_t patience) { return loss != nullptr && patience >= 0; }

inline bool sgd_step(const float* p, const float* buffer, const float* g, const float* lr, int64_t n,
                     const void* stream) {
  return !any_null(p, buffer, g, lr, stream) && n >= 1;
}

inline bool keep_best_step(const float* kept, const float* kept_loss, const int64_t* kept_at, const float* p,
                           const float* loss, const int64_t* now, int64_t n, const void* stream) {
  return !any_null(kept, kept_loss, kept_at, p, loss, now, stream) && n >= 1 && kept != p;
}

}  // namespace hast::valid

#endif

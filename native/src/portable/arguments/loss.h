// The arguments of <hast/loss.h>.
#ifndef HAST_ARGUMENTS_LOSS_H
#define HAST_ARGUMENTS_LOSS_H

#include "arguments.h"

namespace hast::valid {

inline bool hard_ce(const float* loss, const float* dlogits, const float* logits, const int32_t* labels, int64_t n,
                    int64_t k, float gamma, const void* stream) {
  return !any_null(loss, dlogits, logits, labels, stream) && !any_below_one(n, k) && gamma >= 0.0f;
}

inline bool distill_kl(const float* loss, const float* student, const float* teacher, int64_t n, int64_t k,
                       float temperature, const void* stream) {
  return !any_null(loss, student, teacher, stream) && !any_below_one(n, k) && temperature > 0.0f;
}

inline bool feature_align(const float* loss, const float* student, const float* teacher, int64_t n, int64_t hw,
                          int64_t c, const void* stream) {
  return !any_null(loss, student, teacher, stream) && !any_below_one(n, hw, c);
}

}  // namespace hast::valid

#endif

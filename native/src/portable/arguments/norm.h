// The arguments of <hast/norm.h>.
#ifndef HAST_ARGUMENTS_NORM_H
#define HAST_ARGUMENTS_NORM_H

#include "elementwise.h"
#include "quantize.h"

namespace hast::valid {

inline bool bn_stats(const float* mean, const float* variance, const float* x, int64_t rows, int64_t c,
                     const void* stream) {
  return !any_null(mean, variance, x, stream) && !any_below_one(rows, c);
}

// What the fused normalization and its adjoint both need.
inline bool bn_act(const float* result, const float* from, const float* u, const float* mean, const float* variance,
                   int64_t n, int64_t hw, int64_t c, float epsilon, const void* stream) {
  return !any_null(result, from, u, mean, variance, stream) && !any_below_one(n, hw, c) && epsilon >= 0.0f;
}

inline bool bn_act_fwd(const float* y, const float* batch_mean, const float* batch_variance, const float* u,
                       const float* mean, const float* variance, const float* range, int64_t n, int64_t hw, int64_t c,
                       float epsilon, float slope, float ceiling, int32_t bits, int32_t in_range, const void* stream) {
  return bn_act(y, u, u, mean, variance, n, hw, c, epsilon, stream) &&
         (batch_mean == nullptr) == (batch_variance == nullptr) && (range == nullptr || valid::bits(bits)) &&
         relu(slope, ceiling) && (in_range == 0 || slope == 0.0f);
}

inline bool bn_act_bwd(const float* du, const float* dresidual, const float* dgamma, const float* dbeta,
                       const float* dy, const uint8_t* mask, const float* u, const float* mean, const float* variance,
                       const float* stat_grad, const float* batch_mean, int64_t n, int64_t hw, int64_t c, float epsilon,
                       float slope, const void* stream) {
  return bn_act(du, dy, u, mean, variance, n, hw, c, epsilon, stream) && du != dresidual &&
         (dgamma == nullptr) == (dbeta == nullptr) && (mask != nullptr || slope == 1.0f) &&
         (stat_grad == nullptr || batch_mean != nullptr);
}

// One row has no unbiased variance.
inline bool bn_running_step(const float* running_mean, const float* running_variance, const float* mean,
                            const float* variance, int64_t rows, int64_t c, const void* stream) {
  return !any_null(running_mean, running_variance, mean, variance, stream) && rows >= 2 && c >= 1;
}

inline bool bn_stats_loss(const float* loss, const float* stat_grad, const float* mean, const float* variance,
                          const float* running_mean, const float* running_variance, int64_t rows, int64_t c,
                          const void* stream) {
  return !any_null(loss, stat_grad, mean, variance, running_mean, running_variance, stream) && !any_below_one(rows, c);
}

inline bool channel_sum(const float* y, const float* x, int64_t rows, int64_t c, const void* stream) {
  return !any_null(y, x, stream) && !any_below_one(rows, c);
}

}  // namespace hast::valid

#endif

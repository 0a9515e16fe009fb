/* Element-wise kernels. Part of the C ABI; include <hast/hast.h>. All are capture-safe and deterministic. */
#ifndef HAST_ELEMENTWISE_H
#define HAST_ELEMENTWISE_H

#include <hast/status.h>

/* y = value */
HAST_API int32_t hast_fill_fwd_f32(float* y, /* out [n] */
                                   int64_t n, float value, void* stream) HAST_NOEXCEPT;

/* y = a + b; y may be a or b */
HAST_API int32_t hast_add_fwd_f32(float* y,                       /* out [n] */
                                  const float* a, const float* b, /* [n] */
                                  int64_t n, void* stream) HAST_NOEXCEPT;

/* y = factor * x; y may be x */
HAST_API int32_t hast_scale_fwd_f32(float* y,       /* out [n] */
                                    const float* x, /* [n] */
                                    int64_t n, float factor, void* stream) HAST_NOEXCEPT;

/* y = tanh(x); y may be x */
HAST_API int32_t hast_tanh_fwd_f32(float* y,       /* out [n] */
                                   const float* x, /* [n] */
                                   int64_t n, void* stream) HAST_NOEXCEPT;

/* dx = dy (1 - y²); dx may be dy */
HAST_API int32_t hast_tanh_bwd_f32(float* dx,                       /* out [n], = */
                                   const float* dy, const float* y, /* [n] */
                                   int64_t n, void* stream) HAST_NOEXCEPT;

/* Difficulty promotion: y = x + epsilon * sign(g), sign(0) = 0, sign(NaN) = NaN. y may be x or g. */
HAST_API int32_t hast_sign_perturb_fwd_f32(float* y,                       /* out [n] */
                                           const float* x, const float* g, /* [n] */
                                           int64_t n, float epsilon, void* stream) HAST_NOEXCEPT;

/* counter += 1: the step counter that random and optimiser kernels read */
HAST_API int32_t hast_counter_step_i64(int64_t* counter, /* in-out [1] */
                                       void* stream) HAST_NOEXCEPT;

#endif

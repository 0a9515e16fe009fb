/* Element-wise kernels. Part of the C ABI; include <hast/hast.h>. All are capture-safe and deterministic. */
#ifndef HAST_ELEMENTWISE_H
#define HAST_ELEMENTWISE_H

#include <hast/status.h>

/* y = value */
HAST_API int32_t hast_fill_fwd_f32(float* y, /* out [n] */
                                   int64_t n, float value, void* stream) HAST_NOEXCEPT;

/* y = a + b, b being repeated over hw; hw is 1 for two of one shape. y may be a, and b where hw is 1 */
HAST_API int32_t hast_add_fwd_f32(float* y,       /* out [n, hw, c] */
                                  const float* a, /* [n, hw, c] */
                                  const float* b, /* [n, c] */
                                  int64_t n, int64_t hw, int64_t c, void* stream) HAST_NOEXCEPT;

/* y = a b, likewise */
HAST_API int32_t hast_mul_fwd_f32(float* y,       /* out [n, hw, c] */
                                  const float* a, /* [n, hw, c] */
                                  const float* b, /* [n, c] */
                                  int64_t n, int64_t hw, int64_t c, void* stream) HAST_NOEXCEPT;

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

/* What hast_activation_* may be asked for, and the slope f' that its gradient multiplies by:
 * RELU          v > 0 ? v : slope v, ceiling where that is above it; f' = 0 < v < ceiling ? 1 : slope: the activation
 *               and the mask of norm.h, ceiling above 0, INFINITY for none, slope 0 where it is finite
 * HARD_SIGMOID  min(max(v + 3, 0), 6) / 6;  f' = -3 < v < 3 ? 1 / 6 : 0
 * HARD_SWISH    v min(max(v + 3, 0), 6) / 6;  f' = 0 up to -3, 1 from 3 on, between them v / 3 + 1 / 2
 * SIGMOID       1 / (1 + exp(-v))
 * SILU          v / (1 + exp(-v))
 * GELU          v / 2 (1 + erf(v / sqrt(2)))
 * MISH          v tanh(log(1 + exp(v)))
 * In the first three every library agrees bit for bit. All but RELU take neither slope nor ceiling. */
#define HAST_ACTIVATION_RELU 0
#define HAST_ACTIVATION_HARD_SIGMOID 1
#define HAST_ACTIVATION_HARD_SWISH 2
#define HAST_ACTIVATION_SIGMOID 3
#define HAST_ACTIVATION_SILU 4
#define HAST_ACTIVATION_GELU 5
#define HAST_ACTIVATION_MISH 6

/* y = f(x); y may be x */
HAST_API int32_t hast_activation_fwd_f32(float* y,       /* out [n] */
                                         const float* x, /* [n] */
                                         int64_t n, int32_t kind, float slope, float ceiling,
                                         void* stream) HAST_NOEXCEPT;

/* dx = f'(x) dy; dx may be dy or x */
HAST_API int32_t hast_activation_bwd_f32(float* dx,                       /* out [n], = */
                                         const float* dy, const float* x, /* [n] */
                                         int64_t n, int32_t kind, float slope, float ceiling,
                                         void* stream) HAST_NOEXCEPT;

/* y = x > 0 ? x : slope_c x, a slope for each channel; y may be x */
HAST_API int32_t hast_prelu_fwd_f32(float* y,           /* out [rows, c] */
                                    const float* x,     /* [rows, c] */
                                    const float* slope, /* [c] */
                                    int64_t rows, int64_t c, void* stream) HAST_NOEXCEPT;

/* dx = x > 0 ? dy : slope_c dy; dslope_c = sum over the rows of x > 0 ? 0 : dy x. dx may be dy or x */
HAST_API int64_t hast_prelu_bwd_workspace_bytes(int64_t rows, int64_t c) HAST_NOEXCEPT;
HAST_API int32_t hast_prelu_bwd_f32(float* dx,                       /* out [rows, c], = */
                                    HAST_OPTIONAL float* dslope,     /* out [c], = */
                                    const float* dy, const float* x, /* [rows, c] */
                                    const float* slope,              /* [c] */
                                    HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t rows, int64_t c,
                                    void* stream) HAST_NOEXCEPT;

/* Difficulty promotion: y = x + epsilon * sign(g), sign(0) = 0, sign(NaN) = NaN. y may be x or g. */
HAST_API int32_t hast_sign_perturb_fwd_f32(float* y,                       /* out [n] */
                                           const float* x, const float* g, /* [n] */
                                           int64_t n, float epsilon, void* stream) HAST_NOEXCEPT;

/* counter += 1: the step counter that random and optimiser kernels read */
HAST_API int32_t hast_counter_step_i64(int64_t* counter, /* in-out [1] */
                                       void* stream) HAST_NOEXCEPT;

#endif

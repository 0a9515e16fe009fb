/* Batch normalisation, its statistics, and everything fused with it. Part of the C ABI; include <hast/hast.h>.
 *
 * Layout [n, hw, c], c innermost; rows = n * hw. Any c >= 1.
 * Activation: v > 0 ? v : slope * v, so slope 1 is the identity, 0 ReLU, .2 LeakyReLU(.2). */
#ifndef HAST_NORM_H
#define HAST_NORM_H

#include <hast/status.h>

/* mean_c and biased variance_c over the rows, the variance centred (blockwise, combined by Chan's formula) */
HAST_API int64_t hast_bn_stats_workspace_bytes(int64_t rows, int64_t c) HAST_NOEXCEPT;
HAST_API int32_t hast_bn_stats_fwd_f32(float* mean, float* variance, /* out [c] */
                                       const float* x,               /* [rows, c] */
                                       HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t rows, int64_t c,
                                       void* stream) HAST_NOEXCEPT;

/* f = (u - mean) * (gamma / sqrt(variance + epsilon)) + beta
 * v = f + residual;  mask = 0 < v < ceiling;  y = fake_quant(min(activation(v), ceiling))
 * in_range = 1: the mask is also 0 where the quantiser clamps, so that no gradient passes there; for slope 0 only.
 * ceiling: INFINITY for none (then mask = v > 0), 6 for ReLU6; above 0, and slope 0 where it is finite.
 * Given mean and variance are the running ones (evaluation) or hast_bn_stats_fwd's (training). One pass over u.
 * Optional outputs, NULL to leave out: mask; batch_mean and batch_variance, the statistics of u itself;
 * attention[n, c] = mean over hw of f². Optional inputs: residual; gamma and beta (1 and 0); range (no quantisation).
 * y may be residual. */
HAST_API int64_t hast_bn_act_fwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) HAST_NOEXCEPT;
HAST_API int32_t hast_bn_act_fwd_f32(float* y,                    /* out [n, hw, c] */
                                     HAST_OPTIONAL uint8_t* mask, /* out [n, hw, c] */
                                     HAST_OPTIONAL float* batch_mean,
                                     HAST_OPTIONAL float* batch_variance, /* out [c]; both or neither */
                                     HAST_OPTIONAL float* attention,      /* out [n, c] */
                                     const float* u,                      /* [n, hw, c] */
                                     HAST_OPTIONAL const float* residual, /* [n, hw, c] */
                                     HAST_OPTIONAL const float* gamma, HAST_OPTIONAL const float* beta, /* [c] */
                                     const float* mean, const float* variance,                          /* [c] */
                                     HAST_OPTIONAL const float* range, /* [2] min, max */
                                     HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n, int64_t hw,
                                     int64_t c, float epsilon, float slope, float ceiling, int32_t bits,
                                     int32_t in_range, void* stream) HAST_NOEXCEPT;

/* dv = dy * (mask ? 1 : slope);  dresidual = dv;  df = dv + f * attention_grad[n, c]
 * dgamma = sum df * (u - mean) / sqrt(variance + epsilon);  dbeta = sum df
 * training = 0: du = df * gamma / sqrt(variance + epsilon)
 * training = 1 (mean and variance are the batch's):
 *               du = gamma / sqrt(variance + epsilon) * (df - dbeta / rows - xhat * dgamma / rows)
 * then, when stat_grad is given, du += stat_grad[0, c] + stat_grad[1, c] * (u - batch_mean[c])
 * mask may be NULL when slope is 1; du or dresidual may be dy. */
HAST_API int64_t hast_bn_act_bwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) HAST_NOEXCEPT;
HAST_API int32_t hast_bn_act_bwd_f32(float* du,                      /* out [n, hw, c], = */
                                     HAST_OPTIONAL float* dresidual, /* out [n, hw, c], = */
                                     HAST_OPTIONAL float* dgamma,
                                     HAST_OPTIONAL float* dbeta,        /* out [c]; both or neither, = */
                                     const float* dy,                   /* [n, hw, c] */
                                     HAST_OPTIONAL const uint8_t* mask, /* [n, hw, c] */
                                     const float* u,                    /* [n, hw, c] */
                                     HAST_OPTIONAL const float* gamma, HAST_OPTIONAL const float* beta, /* [c] */
                                     const float* mean, const float* variance,                          /* [c] */
                                     HAST_OPTIONAL const float* attention_grad,                         /* [n, c] */
                                     HAST_OPTIONAL const float* stat_grad,                              /* [2, c] */
                                     HAST_OPTIONAL const float* batch_mean, /* [c], with stat_grad */
                                     HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n, int64_t hw,
                                     int64_t c, float epsilon, float slope, int32_t training,
                                     void* stream) HAST_NOEXCEPT;

/* running = (1 - momentum) running + momentum batch; the variance made unbiased by rows / (rows - 1) */
HAST_API int32_t hast_bn_running_step_f32(float* running_mean, float* running_variance, /* in-out [c] */
                                          const float* mean, const float* variance,     /* [c] of the batch */
                                          int64_t rows, int64_t c, float momentum, void* stream) HAST_NOEXCEPT;

/* BN-statistic loss of one layer (algorithm section 1.4), weight = 1 / L:
 *   loss (=, or += when accumulate) weight * [ mean_c (m - mu)² + mean_c (v - sigma²)² ]
 *   stat_grad[0, c] = weight * 2 / (C M) (m - mu);  stat_grad[1, c] = weight * 4 / (C M) (v - sigma²),  M = rows */
HAST_API int32_t hast_bn_stats_loss_fwd_f32(float* loss,                              /* out or in-out [1] */
                                            float* stat_grad,                         /* out [2, c] */
                                            const float* mean, const float* variance, /* [c] of the batch */
                                            const float* running_mean, const float* running_variance, /* [c] */
                                            int64_t rows, int64_t c, float weight, int32_t accumulate,
                                            void* stream) HAST_NOEXCEPT;

/* y_c = sum over rows: the gradient of a bias */
HAST_API int64_t hast_channel_sum_workspace_bytes(int64_t rows, int64_t c) HAST_NOEXCEPT;
HAST_API int32_t hast_channel_sum_fwd_f32(float* y,       /* out [c] */
                                          const float* x, /* [rows, c] */
                                          HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t rows,
                                          int64_t c, void* stream) HAST_NOEXCEPT;

#endif

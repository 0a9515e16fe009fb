/* Losses with their gradients in the same pass. Part of the C ABI; include <hast/hast.h>.
 * All are capture-safe and deterministic; sums in double, rounded once. */
#ifndef HAST_LOSS_H
#define HAST_LOSS_H

#include <hast/status.h>

/* Hard-sample cross-entropy (paper eq. 5, algorithm section 1.3): p = softmax(z)[label], d = 1 - p
 *   loss = beta * mean_n d^gamma (-log p)
 *   dlogits_j = (beta / N) ( -d^gamma - gamma d^(gamma-1) p c ) ( [j = label] - softmax_j ),  c = -log p
 * d is the sum of the other softmax terms, so that it and the gradient stay finite at p = 1 for every gamma >= 0:
 * where d is 0 the gradient is 0. beta 1, gamma 0 is plain cross-entropy.
 * A label outside [0, k) gives NaN in loss and in its row. */
HAST_API int32_t hast_hard_ce_fwd_f32(float* loss,                     /* out [1] */
                                      float* dlogits,                  /* out [n, k], = */
                                      HAST_OPTIONAL float* difficulty, /* out [n]: d */
                                      const float* logits,             /* [n, k] */
                                      const int32_t* labels,           /* [n] */
                                      int64_t n, int64_t k, float beta, float gamma, void* stream) HAST_NOEXCEPT;

/* Distillation (algorithm section 3): a = log_softmax(student / T), b = softmax(teacher / T)
 *   loss = alpha T² / N sum_n sum_j b_j (log b_j - a_j)
 *   dstudent = (alpha T / N) (softmax(student / T) - b)
 *   dteacher_j = (alpha T / N) b_j [ (log b_j - a_j) - sum_k b_k (log b_k - a_k) ] */
HAST_API int32_t hast_distill_kl_fwd_f32(float* loss, /* out [1] */
                                         HAST_OPTIONAL float* dstudent,
                                         HAST_OPTIONAL float* dteacher,              /* out [n, k], = */
                                         const float* student, const float* teacher, /* [n, k] */
                                         int64_t n, int64_t k, float temperature, float alpha,
                                         void* stream) HAST_NOEXCEPT;

/* Feature alignment of one tap (paper eq. 9, algorithm section 3). attention v[n, c] = mean_hw f² as hast_bn_act_fwd
 * gives it; per sample norm = v / max(|v|_2, 1e-12);
 *   loss (=, or += when accumulate) lambda * mean_{n,c} (normS - normT)²
 *   grad[n, c] such that df = f * grad:  grad = (2 / hw) (g - norm (norm . g)) / max(|v|, 1e-12),
 *   g = 2 lambda (normS - normT) / (N C) for the student, its negative for the teacher */
HAST_API int32_t hast_feature_align_fwd_f32(float* loss, /* out or in-out [1] */
                                            HAST_OPTIONAL float* student_grad,
                                            HAST_OPTIONAL float* teacher_grad,          /* out [n, c], = */
                                            const float* student, const float* teacher, /* attention [n, c] */
                                            int64_t n, int64_t hw, int64_t c, float lambda, int32_t accumulate,
                                            void* stream) HAST_NOEXCEPT;

#endif

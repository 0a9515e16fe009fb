/* Optimiser steps; everything that changes from step to step is read from device memory. Part of the C ABI;
 * include <hast/hast.h>. All are capture-safe and deterministic. */
#ifndef HAST_OPTIM_H
#define HAST_OPTIM_H

#include <hast/status.h>

/* Adam (Kingma & Ba 2015, PyTorch's form), t = *step + 1:
 *   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
 *   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon) */
HAST_API int32_t hast_adam_step_f32(float* p, float* m, float* v, /* in-out [n] */
                                    const float* g,               /* [n] */
                                    const float* lr,              /* [1] */
                                    const int64_t* step,          /* [1] completed steps */
                                    int64_t n, float beta1, float beta2, float epsilon, void* stream) HAST_NOEXCEPT;

/* SGD with momentum: d = g + decay p;  buffer = momentum buffer + d;
 *   p -= lr rate (nesterov ? d + momentum buffer : buffer),  rate = rates[i], or 1 without rates
 * A buffer that starts at 0 gives PyTorch's first step. */
HAST_API int32_t hast_sgd_step_f32(float* p, float* buffer,          /* in-out [n] */
                                   const float* g,                   /* [n] */
                                   const float* lr,                  /* [1] */
                                   HAST_OPTIONAL const float* rates, /* [n] */
                                   int64_t n, float momentum, float decay, int32_t nesterov,
                                   void* stream) HAST_NOEXCEPT;

/* One update of samples that are optimised themselves: Adam with lr = state[0] and t = *step + 1, then a step of
 * ReduceLROnPlateau (mode min, relative threshold, cooldown 0), then *step += 1. state = {lr, best, bad steps}; start
 * {lr, +inf, 0}. Every element sees state and step as they were before the call.
 *   if loss < best (1 - threshold): best = loss, bad = 0; else bad += 1
 *   if bad > patience: next = max(lr * factor, min_lr); if lr - next > lr_epsilon: lr = next; bad = 0
 * A NaN loss counts as bad. */
HAST_API int32_t hast_sample_step_f32(float* p, float* m, float* v, /* in-out [n] */
                                      float* state,                 /* in-out [3] */
                                      int64_t* step,                /* in-out [1] completed steps */
                                      const float* g,               /* [n] */
                                      const float* loss,            /* [1] */
                                      int64_t n, float beta1, float beta2, float epsilon, float factor, float threshold,
                                      float min_lr, float lr_epsilon, int32_t patience, void* stream) HAST_NOEXCEPT;

/* Keeps what had the lowest loss so far: if *loss < *kept_loss: kept = p, *kept_loss = *loss, *kept_at = *now. A NaN
 * loss keeps nothing. Start with kept_loss +inf. kept must not be p. */
HAST_API int32_t hast_keep_best_step_f32(float* kept,        /* in-out [n] */
                                         float* kept_loss,   /* in-out [1] */
                                         int64_t* kept_at,   /* in-out [1] */
                                         const float* p,     /* [n] */
                                         const float* loss,  /* [1] */
                                         const int64_t* now, /* [1] */
                                         int64_t n, void* stream) HAST_NOEXCEPT;

#endif

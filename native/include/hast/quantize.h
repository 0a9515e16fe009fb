/* Fake quantisation and range tracking. Part of the C ABI; include <hast/hast.h>.
 *
 * k bits, range [a, b] (algorithm section 2):
 *   s = (2^k - 1) / max(b - a, 1e-8);  z = rint(s a) + 2^(k-1)
 *   q = clamp(rint(s x - z), -2^(k-1), 2^(k-1) - 1);  y = (q + z) / s
 * Half to even, no FMA; NaN stays NaN. A gradient that passes straight through everywhere is the identity and takes no
 * kernel. Every library agrees bit for bit. 2 <= bits <= 8. */
#ifndef HAST_QUANTIZE_H
#define HAST_QUANTIZE_H

#include <hast/status.h>

/* One range for the whole tensor. y may be x. */
HAST_API int32_t hast_fake_quant_fwd_f32(float* y,           /* out [n] */
                                         const float* x,     /* [n] */
                                         const float* range, /* [2] min, max */
                                         int64_t n, int32_t bits, void* stream) HAST_NOEXCEPT;

/* dx = dy where the quantiser does not clamp x, that is where -2^(k-1) <= rint(s x - z) <= 2^(k-1) - 1, else 0.
 * dx may be dy or x. */
HAST_API int32_t hast_fake_quant_bwd_f32(float* dx,                       /* out [n], = */
                                         const float* dy, const float* x, /* [n] */
                                         const float* range,              /* [2] min, max */
                                         int64_t n, int32_t bits, void* stream) HAST_NOEXCEPT;

/* One range per row, the row's own min and max: weights [out channels, everything else]. y must not be x. */
HAST_API int32_t hast_fake_quant_channel_fwd_f32(float* y,       /* out [rows, cols] */
                                                 const float* x, /* [rows, cols] */
                                                 int64_t rows, int64_t cols, int32_t bits, void* stream) HAST_NOEXCEPT;

/* range = {min x, max x}; NaN in x gives NaN in both */
HAST_API int64_t hast_min_max_workspace_bytes(int64_t n) HAST_NOEXCEPT;
HAST_API int32_t hast_min_max_fwd_f32(float* range,   /* out [2] */
                                      const float* x, /* [n] */
                                      HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n,
                                      void* stream) HAST_NOEXCEPT;

/* Moving average of batch ranges with bias correction. state = {min, max, t} before correction, t starting at 1.
 * rule 0 (correct):  t *= m; state = m state + (1-m) batch; range = state / (1 - t)
 * rule 1 (released): t *= m; state = (m state + (1-m) batch) / (1 - t); range = state   (the released code's defect) */
HAST_API int32_t hast_range_track_step_f32(float* range,       /* out [2] */
                                           float* state,       /* in-out [3] */
                                           const float* batch, /* [2] min, max of the batch */
                                           float momentum, int32_t rule, void* stream) HAST_NOEXCEPT;

#endif

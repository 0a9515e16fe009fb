/* Two-dimensional convolution, NHWC activations, OHWI weights [k, r, s, c / groups], zero padding; and the depthwise
 * one, which convolves each channel with a filter of its own, weights [c, r, s, 1]. Part of the C ABI; include
 * <hast/hast.h>.
 *
 * window is [8] of the host: stride h, w, padding top, left, bottom, right, dilation h, w; strides and dilations >= 1,
 * paddings >= 0. The taps of a filter lie a dilation apart, and the filter must fit the padded image: output height
 * p = (h + top + bottom - 1 - (r - 1) dilation_h) / stride_h + 1, at least 1, width q likewise. groups divides c and k:
 * the k / groups output channels of a group see the c / groups input channels of the same group.
 * In the formulas the input pixel of output pixel (i, j) and tap (u, v) is
 *   a = i stride_h + u dilation_h - top,  b = j stride_w + v dilation_w - left,
 * 0 outside the image, and c' is channel c of those that output channel o sees.
 *
 * Any sizes >= 1 on the CPU, with tensors of at most 2^50 elements; CUDA returns HAST_EUNSUPPORTED where n times the
 * pixels of a padded image, n p q, r s c or r s k is above 2^30, depthwise 2^28, or conv2d's groups are above 2^13.
 * Deterministic: the order of a sum is fixed by the sizes and the device. */
#ifndef HAST_CONV_H
#define HAST_CONV_H

#include <hast/status.h>

#define HAST_CONV_FWD 0
#define HAST_CONV_BWD_DATA 1
#define HAST_CONV_BWD_WEIGHT 2

/* Scratch for one of the three directions, may be 0; or HAST_EARGUMENT (negative). */
HAST_API int64_t hast_conv2d_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r,
                                             int64_t s, int32_t groups, HAST_HOST const int32_t* window,
                                             int32_t direction) HAST_NOEXCEPT;

/* y[n,i,j,o] = bias[o] + sum_{u,v,c} x[n,a,b,c'] weight[o,u,v,c] */
HAST_API int32_t hast_conv2d_fwd_f32(float* y,                        /* out [n, p, q, k] */
                                     const float* x,                  /* [n, h, w, c] */
                                     const float* weight,             /* [k, r, s, c / groups] */
                                     HAST_OPTIONAL const float* bias, /* [k] */
                                     HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n, int64_t h,
                                     int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int32_t groups,
                                     HAST_HOST const int32_t* window, void* stream) HAST_NOEXCEPT;

/* dx (=, or += when accumulate) the adjoint of the forward map applied to dy */
HAST_API int32_t hast_conv2d_bwd_data_f32(float* dx,           /* out or in-out [n, h, w, c] */
                                          const float* dy,     /* [n, p, q, k] */
                                          const float* weight, /* [k, r, s, c / groups] */
                                          HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n, int64_t h,
                                          int64_t w, int64_t c, int64_t k, int64_t r, int64_t s, int32_t groups,
                                          HAST_HOST const int32_t* window, int32_t accumulate,
                                          void* stream) HAST_NOEXCEPT;

/* dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n,a,b,c'] */
HAST_API int32_t hast_conv2d_bwd_weight_f32(float* dweight,  /* out [k, r, s, c / groups], = */
                                            const float* dy, /* [n, p, q, k] */
                                            const float* x,  /* [n, h, w, c] */
                                            HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n,
                                            int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s,
                                            int32_t groups, HAST_HOST const int32_t* window,
                                            void* stream) HAST_NOEXCEPT;

/* The same for a depthwise convolution. */
HAST_API int64_t hast_depthwise_workspace_bytes(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                                HAST_HOST const int32_t* window, int32_t direction) HAST_NOEXCEPT;

/* y[n,i,j,c] = bias[c] + sum_{u,v} x[n,a,b,c] weight[c,u,v]; in float32 on every device */
HAST_API int32_t hast_depthwise_fwd_f32(float* y,                        /* out [n, p, q, c] */
                                        const float* x,                  /* [n, h, w, c] */
                                        const float* weight,             /* [c, r, s, 1] */
                                        HAST_OPTIONAL const float* bias, /* [c] */
                                        HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n, int64_t h,
                                        int64_t w, int64_t c, int64_t r, int64_t s, HAST_HOST const int32_t* window,
                                        void* stream) HAST_NOEXCEPT;

/* dx (=, or += when accumulate) the adjoint of the forward map applied to dy */
HAST_API int32_t hast_depthwise_bwd_data_f32(float* dx,           /* out or in-out [n, h, w, c] */
                                             const float* dy,     /* [n, p, q, c] */
                                             const float* weight, /* [c, r, s, 1] */
                                             HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n,
                                             int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                             HAST_HOST const int32_t* window, int32_t accumulate,
                                             void* stream) HAST_NOEXCEPT;

/* dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n,a,b,c] */
HAST_API int32_t hast_depthwise_bwd_weight_f32(float* dweight,  /* out [c, r, s, 1], = */
                                               const float* dy, /* [n, p, q, c] */
                                               const float* x,  /* [n, h, w, c] */
                                               HAST_OPTIONAL void* workspace, int64_t workspace_bytes, int64_t n,
                                               int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                               HAST_HOST const int32_t* window, void* stream) HAST_NOEXCEPT;

#endif

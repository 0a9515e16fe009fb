/* Linear, pooling, resampling, embedding, channels apart and together. Part of the C ABI; include <hast/hast.h>.
 * All are capture-safe and deterministic. */
#ifndef HAST_LAYER_H
#define HAST_LAYER_H

#include <hast/status.h>

/* y = x weight^T + bias. CUDA returns HAST_EUNSUPPORTED where a size is above 2^30, here and in the gradients. */
HAST_API int32_t hast_linear_fwd_f32(float* y,                        /* out [n, outputs] */
                                     const float* x,                  /* [n, inputs] */
                                     const float* weight,             /* [outputs, inputs] */
                                     HAST_OPTIONAL const float* bias, /* [outputs] */
                                     int64_t n, int64_t inputs, int64_t outputs, void* stream) HAST_NOEXCEPT;

/* dx = dy weight */
HAST_API int32_t hast_linear_bwd_data_f32(float* dx,           /* out [n, inputs], = */
                                          const float* dy,     /* [n, outputs] */
                                          const float* weight, /* [outputs, inputs] */
                                          int64_t n, int64_t inputs, int64_t outputs, void* stream) HAST_NOEXCEPT;

/* dweight = dy^T x; dbias = column sums of dy */
HAST_API int32_t hast_linear_bwd_weight_f32(float* dweight,             /* out [outputs, inputs], = */
                                            HAST_OPTIONAL float* dbias, /* out [outputs], = */
                                            const float* dy,            /* [n, outputs] */
                                            const float* x,             /* [n, inputs] */
                                            int64_t n, int64_t inputs, int64_t outputs, void* stream) HAST_NOEXCEPT;

/* y = mean of x over hw */
HAST_API int32_t hast_global_avg_pool_fwd_f32(float* y,       /* out [n, c] */
                                              const float* x, /* [n, hw, c] */
                                              int64_t n, int64_t hw, int64_t c, void* stream) HAST_NOEXCEPT;

/* dx = dy / hw, repeated over hw */
HAST_API int32_t hast_global_avg_pool_bwd_f32(float* dx,       /* out [n, hw, c], = */
                                              const float* dy, /* [n, c] */
                                              int64_t n, int64_t hw, int64_t c, void* stream) HAST_NOEXCEPT;

/* y = the sum over hw of x, or of x factor: the gradient of what add and mul repeat over hw */
HAST_API int32_t hast_pixel_sum_fwd_f32(float* y,                          /* out [n, c] */
                                        const float* x,                    /* [n, hw, c] */
                                        HAST_OPTIONAL const float* factor, /* [n, hw, c] */
                                        int64_t n, int64_t hw, int64_t c, void* stream) HAST_NOEXCEPT;

/* y = the mean of x in each window of r x s cells. window is that of conv.h, without dilation: [8] of the host, stride
 * h, w, padding top, left, bottom, right, and 1, 1; strides >= 1, 0 <= padding < r above and below, < s on the left and
 * right; p = (h + top + bottom - r) / stride_h + 1, at least 1, q likewise of w. A mean is over all cells of the
 * window, padding as 0, where count_include_pad is 1, over those that are no padding where it is 0 */
HAST_API int32_t hast_avg_pool_fwd_f32(float* y,       /* out [n, p, q, c] */
                                       const float* x, /* [n, h, w, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       HAST_HOST const int32_t* window, int32_t count_include_pad,
                                       void* stream) HAST_NOEXCEPT;

/* dx = sum of the dy of the windows that x is in, each divided as its mean is; h and w are those of x */
HAST_API int32_t hast_avg_pool_bwd_f32(float* dx,       /* out [n, h, w, c], = */
                                       const float* dy, /* [n, p, q, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       HAST_HOST const int32_t* window, int32_t count_include_pad,
                                       void* stream) HAST_NOEXCEPT;

/* y = the largest of x in each window, those of avg_pool, of at most 256 cells; index tells which cell won, row * s +
 * column within the window. Of equal cells the first in row-major order wins, NaN wins over every number, padding never
 * wins */
HAST_API int32_t hast_max_pool_fwd_f32(float* y,       /* out [n, p, q, c] */
                                       uint8_t* index, /* out [n, p, q, c] */
                                       const float* x, /* [n, h, w, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       HAST_HOST const int32_t* window, void* stream) HAST_NOEXCEPT;

/* dx = sum of the dy that x won, in row-major order of dy; h and w are those of x */
HAST_API int32_t hast_max_pool_bwd_f32(float* dx,            /* out [n, h, w, c], = */
                                       const float* dy,      /* [n, p, q, c] */
                                       const uint8_t* index, /* [n, p, q, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s,
                                       HAST_HOST const int32_t* window, void* stream) HAST_NOEXCEPT;

/* Nearest-neighbour upsampling by 2 */
HAST_API int32_t hast_upsample_fwd_f32(float* y,       /* out [n, 2h, 2w, c] */
                                       const float* x, /* [n, h, w, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, void* stream) HAST_NOEXCEPT;

/* dx = sum of the four dy that read it; h and w are those of x */
HAST_API int32_t hast_upsample_bwd_f32(float* dx,       /* out [n, h, w, c], = */
                                       const float* dy, /* [n, 2h, 2w, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, void* stream) HAST_NOEXCEPT;

/* y[n] = table[labels[n]] * noise[n] (element-wise): the conditional generator's input */
HAST_API int32_t hast_embedding_fwd_f32(float* y,              /* out [n, d] */
                                        const float* table,    /* [classes, d] */
                                        const float* noise,    /* [n, d] */
                                        const int32_t* labels, /* [n] */
                                        int64_t n, int64_t d, int64_t classes, void* stream) HAST_NOEXCEPT;

/* dtable[k] = sum over n with labels[n] == k of dy[n] * noise[n] */
HAST_API int32_t hast_embedding_bwd_f32(float* dtable,         /* out [classes, d], = */
                                        const float* dy,       /* [n, d] */
                                        const float* noise,    /* [n, d] */
                                        const int32_t* labels, /* [n] */
                                        int64_t n, int64_t d, int64_t classes, void* stream) HAST_NOEXCEPT;

/* ResNet shortcut A: y[n,i,j,o] = x[n, i stride, j stride, o - front] where that channel exists, else 0;
 * front = (k - c) / 2; output sizes ceil(h / stride), ceil(w / stride) */
HAST_API int32_t hast_shortcut_fwd_f32(float* y,       /* out [n, ceil(h/stride), ceil(w/stride), k] */
                                       const float* x, /* [n, h, w, c] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t stride,
                                       void* stream) HAST_NOEXCEPT;

/* dx = the adjoint: dy where it was read, 0 elsewhere */
HAST_API int32_t hast_shortcut_bwd_f32(float* dx,       /* out [n, h, w, c], = */
                                       const float* dy, /* [n, ceil(h/stride), ceil(w/stride), k] */
                                       int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int32_t stride,
                                       void* stream) HAST_NOEXCEPT;

/* y = channels begin .. begin + k - 1 of x; 0 <= begin, begin + k <= c */
HAST_API int32_t hast_slice_fwd_f32(float* y,       /* out [rows, k] */
                                    const float* x, /* [rows, c] */
                                    int64_t rows, int64_t c, int64_t k, int32_t begin, void* stream) HAST_NOEXCEPT;

/* dx = the adjoint: dy in those channels, 0 in the others */
HAST_API int32_t hast_slice_bwd_f32(float* dx,       /* out [rows, c], = */
                                    const float* dy, /* [rows, k] */
                                    int64_t rows, int64_t c, int64_t k, int32_t begin, void* stream) HAST_NOEXCEPT;

/* Channels begin .. begin + k - 1 of y = x, the others stay: a concatenation is one such call for each input */
HAST_API int32_t hast_concat_fwd_f32(float* y,       /* in-out [rows, c] */
                                     const float* x, /* [rows, k] */
                                     int64_t rows, int64_t c, int64_t k, int32_t begin, void* stream) HAST_NOEXCEPT;

/* Each of n matrices transposed. Of [n, h, w, c] as n matrices h w x c: flattening in the order of [n, c, h, w]; of
 * each pixel as one matrix groups x c / groups: a channel shuffle */
HAST_API int32_t hast_transpose_fwd_f32(float* y,       /* out [n, columns, rows] */
                                        const float* x, /* [n, rows, columns] */
                                        int64_t n, int64_t rows, int64_t columns, void* stream) HAST_NOEXCEPT;

#endif

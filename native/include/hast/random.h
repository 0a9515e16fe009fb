/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011) and random sample selection.
 * Part of the C ABI; include <hast/hast.h>.
 *
 * `key` is int64[2] in device memory: {seed, step}. A value is a pure function of (seed, step, draw, its index), so a
 * program that continues at a step yields what an uninterrupted one yields. `draw` tells the random nodes of one
 * program apart. Philox key = {low, high word of seed}; counter = {block, draw, low word of step, high word of step},
 * where block = index / 4 for element-wise kernels; sample i of the box kernels owns blocks 48 i .. 48 i + 47.
 * u(w) = (w + 0.5) 2^-32 in double; below(w, k) = (w * k) >> 32. */
#ifndef HAST_RANDOM_H
#define HAST_RANDOM_H

#include <hast/status.h>

/* y ~ N(0, 1): Box-Muller on the four words (w0..w3) of a block: u = (w + 0.5) 2^-32; element 4b+0, 4b+1 =
 * sqrt(-2 ln u0) * (cos, sin)(2 pi u1), elements 4b+2, 4b+3 likewise from u2, u3. Evaluated in double, rounded once. */
HAST_API int32_t hast_philox_normal_fwd_f32(float* y,           /* out [n] */
                                            const int64_t* key, /* [2] seed, step */
                                            int64_t n, int32_t draw, void* stream) HAST_NOEXCEPT;

/* y ~ U{0 .. classes-1}: (word * classes) >> 32 of word index % 4 of block index / 4 */
HAST_API int32_t hast_philox_labels_fwd_i32(int32_t* y,         /* out [n] */
                                            const int64_t* key, /* [2] seed, step */
                                            int64_t n, int32_t classes, int32_t draw, void* stream) HAST_NOEXCEPT;

/* RandomResizedCrop boxes with a random horizontal flip, one per sample (torchvision's rule: ten attempts at
 * area = U(scale) * height * width and aspect = exp(U(ln ratio)), then the largest centred box of an allowed aspect).
 * box = {image, top, left, height, width, flip}. image = order[(step * n + i) % order_count] when order is given, else
 * uniform over [0, images). In double, from the float attributes; halves round to even:
 *   attempt a, words w of block 48 i + 4 a:  area = (scale_min + (scale_max - scale_min) u(w0)) * height * width,
 *     aspect = exp(ln ratio_min + (ln ratio_max - ln ratio_min) u(w1)),
 *     box width = rint(sqrt(area * aspect)), box height = rint(sqrt(area / aspect));
 *     accepted if both are in [1, image's], with top = below(w2, height - box height + 1), left = below(w3, ...)
 *   words w of block 48 i + 40:  flip = w0 >> 31, image = below(w1, images) */
HAST_API int32_t hast_crop_boxes_fwd_i32(int32_t* boxes,                     /* out [n, 6] */
                                         const int64_t* key,                 /* [2] seed, step */
                                         HAST_OPTIONAL const int32_t* order, /* [order_count] */
                                         int64_t n, int64_t images, int64_t order_count, int64_t height, int64_t width,
                                         float scale_min, float scale_max, float ratio_min, float ratio_max,
                                         int32_t draw, void* stream) HAST_NOEXCEPT;

/* Boxes of full size shifted by a uniform integer in [-pad, pad] on both axes, with a random horizontal flip: the
 * usual CIFAR training augmentation (zero padding). pad = 0 and flip = 0 give the images themselves.
 * Words w of block 48 i: top = below(w0, 2 pad + 1) - pad, left = below(w1, 2 pad + 1) - pad; flip and image as above.
 */
HAST_API int32_t hast_shift_boxes_fwd_i32(int32_t* boxes,                     /* out [n, 6] */
                                          const int64_t* key,                 /* [2] seed, step */
                                          HAST_OPTIONAL const int32_t* order, /* [order_count] */
                                          int64_t n, int64_t images, int64_t order_count, int64_t height, int64_t width,
                                          int32_t pad, int32_t flip, int32_t draw, void* stream) HAST_NOEXCEPT;

/* Crops, resizes (bilinear, align_corners = false, no antialias) and flips in one gather. Pixels of a box outside the
 * image read 0. A box of the output size is copied exactly. A box with an unknown image, or with no pixel, gives NaN.
 * CUDA returns HAST_EUNSUPPORTED where a size of an image, of its crop or the channels are 2^31 or more. */
HAST_API int32_t hast_crop_flip_fwd_f32(float* y,             /* out [n, out_height, out_width, channels] */
                                        const float* images,  /* [images, height, width, channels] */
                                        const int32_t* boxes, /* [n, 6] */
                                        int64_t n, int64_t images_count, int64_t height, int64_t width,
                                        int64_t channels, int64_t out_height, int64_t out_width,
                                        void* stream) HAST_NOEXCEPT;

/* labels[i] = all_labels[boxes[i].image]: the labels of the samples the boxes chose */
HAST_API int32_t hast_gather_labels_fwd_i32(int32_t* labels,           /* out [n] */
                                            const int32_t* all_labels, /* [images] */
                                            const int32_t* boxes,      /* [n, 6] */
                                            int64_t n, int64_t images, void* stream) HAST_NOEXCEPT;

/* The adjoint of hast_crop_flip_fwd for boxes whose image is the sample itself (box[n].image is ignored, n = n). */
HAST_API int32_t hast_crop_flip_bwd_f32(float* dimages,       /* out [n, height, width, channels], = */
                                        const float* dy,      /* [n, out_height, out_width, channels] */
                                        const int32_t* boxes, /* [n, 6] */
                                        int64_t n, int64_t height, int64_t width, int64_t channels, int64_t out_height,
                                        int64_t out_width, void* stream) HAST_NOEXCEPT;

#endif

// What the three directions of the convolution share: the convolution as a product of matrices.
#ifndef HAST_CONV2D_CUH
#define HAST_CONV2D_CUH

#include "conv.cuh"
#include "product.cuh"

namespace hast {

// x as seen from an output pixel: line (n, i, j), term (u, v, c).
struct Patches {
  static constexpr Along kAlong = Along::kDepth;
  const float* x;
  Divider pq, q, c, s;
  int h, w, channels, stride, pad;

  Patches(const float* x, const Conv& g)
      : x(x),
        pq(g.p * g.q),
        q(g.q),
        c(g.c),
        s(g.s),
        h(static_cast<int>(g.h)),
        w(static_cast<int>(g.w)),
        channels(static_cast<int>(g.c)),
        stride(static_cast<int>(g.stride)),
        pad(static_cast<int>(g.pad)) {}

  __device__ float at(int pixel, int term) const {
    const Division image(pixel, pq), out(image.remainder, q), tap(term, c), kernel(tap.quotient, s);
    const int a = out.quotient * stride + kernel.quotient - pad;
    const int b = out.remainder * stride + kernel.remainder - pad;
    if (a < 0 || a >= h || b < 0 || b >= w) return 0.0f;
    return x[((int64_t{image.quotient} * h + a) * w + b) * channels + tap.remainder];
  }
};

// The same with lines (u, v, c) and terms (n, i, j).
struct PatchColumns {
  static constexpr Along kAlong = Along::kLines;
  Patches patches;
  __device__ float at(int line, int pixel) const { return patches.at(pixel, line); }
};

// dy as seen from an input pixel: line (n, a, b), term (u, v, o).
struct AdjointPatches {
  static constexpr Along kAlong = Along::kDepth;
  const float* dy;
  Divider hw, w, k, s, stride;
  int p, q, channels, pad;

  AdjointPatches(const float* dy, const Conv& g)
      : dy(dy),
        hw(g.h * g.w),
        w(g.w),
        k(g.k),
        s(g.s),
        stride(g.stride),
        p(static_cast<int>(g.p)),
        q(static_cast<int>(g.q)),
        channels(static_cast<int>(g.k)),
        pad(static_cast<int>(g.pad)) {}

  __device__ float at(int pixel, int term) const {
    const Division image(pixel, hw), in(image.remainder, w), tap(term, k), kernel(tap.quotient, s);
    const int a = in.quotient + pad - kernel.quotient;
    const int b = in.remainder + pad - kernel.remainder;
    if (a < 0 || b < 0) return 0.0f;
    const Division i(a, stride), j(b, stride);
    if (i.remainder != 0 || j.remainder != 0 || i.quotient >= p || j.quotient >= q) return 0.0f;
    return dy[((int64_t{image.quotient} * p + i.quotient) * q + j.quotient) * channels + tap.remainder];
  }
};

// The weights as the adjoint map meets them: line c, term (u, v, o).
struct AdjointWeights {
  static constexpr Along kAlong = Along::kLines;
  const float* weight;
  Divider k;
  int channels;
  int64_t filter;  // r s c

  AdjointWeights(const float* weight, const Conv& g)
      : weight(weight), k(g.k), channels(static_cast<int>(g.c)), filter(g.r * g.s * g.c) {}

  __device__ float at(int line, int term) const {
    const Division tap(term, k);
    return weight[tap.remainder * filter + int64_t{tap.quotient} * channels + line];
  }
};

// Workspace of the weight gradient; defined beside its kernels. The other directions need none.
int64_t conv2d_bwd_weight_bytes(const Conv& g);

}  // namespace hast

#endif

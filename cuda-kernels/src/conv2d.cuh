// What the three directions of the convolution share: the convolution as a product of matrices.
#ifndef HAST_CONV2D_CUH
#define HAST_CONV2D_CUH

#include "conv.cuh"
#include "product.cuh"

namespace hast {

// Groups are products of their own, in the same launch: a view is that of group 0 until it is shifted.

// The grid's third dimension has a place for each group, each phase or part of one.
constexpr int64_t kMostGroups = 8192;
constexpr int64_t kMostPlanes = 65535;

// A dense matrix of each group, group_step apart.
template <Along kDirection>
struct GroupMatrix : Matrix<kDirection> {
  int64_t group_step;
  __device__ void shift(int group) { this->data += group * group_step; }
};

// x as seen from an output pixel: line (n, i, j), term (u, v, c).
struct Patches {
  static constexpr Along kAlong = Along::kDepth;
  static constexpr bool kGrouped = true;
  const float* x;
  Divider pq, q, c, s;
  int h, w, channels, stride_h, stride_w, top, left, dilation_h, dilation_w;

  Patches(const float* x, const Conv& g)
      : x(x),
        pq(g.p * g.q),
        q(g.q),
        c(g.group_c()),
        s(g.s),
        h(static_cast<int>(g.h)),
        w(static_cast<int>(g.w)),
        channels(static_cast<int>(g.c)),
        stride_h(static_cast<int>(g.stride_h)),
        stride_w(static_cast<int>(g.stride_w)),
        top(static_cast<int>(g.top)),
        left(static_cast<int>(g.left)),
        dilation_h(static_cast<int>(g.dilation_h)),
        dilation_w(static_cast<int>(g.dilation_w)) {}

  __device__ void shift(int group) { x += int64_t{group} * static_cast<int>(c.divisor); }
  __device__ float at(int pixel, int term) const {
    const Division image(pixel, pq), out(image.remainder, q), tap(term, c), kernel(tap.quotient, s);
    const int a = out.quotient * stride_h + kernel.quotient * dilation_h - top;
    const int b = out.remainder * stride_w + kernel.remainder * dilation_w - left;
    if (a < 0 || a >= h || b < 0 || b >= w) return 0.0f;
    return x[((int64_t{image.quotient} * h + a) * w + b) * channels + tap.remainder];
  }
};

// The same with lines (u, v, c) and terms (n, i, j).
struct PatchColumns {
  static constexpr Along kAlong = Along::kLines;
  static constexpr bool kGrouped = true;
  Patches patches;
  __device__ void shift(int group) { patches.shift(group); }
  __device__ float at(int line, int pixel) const { return patches.at(pixel, line); }
};

// dy as seen from an input pixel: line (n, a, b), term (u, v, o).
struct AdjointPatches {
  static constexpr Along kAlong = Along::kDepth;
  static constexpr bool kGrouped = true;
  const float* dy;
  Divider hw, w, k, s, stride_h, stride_w;
  int p, q, channels, top, left, dilation_h, dilation_w;

  AdjointPatches(const float* dy, const Conv& g)
      : dy(dy),
        hw(g.h * g.w),
        w(g.w),
        k(g.group_k()),
        s(g.s),
        stride_h(g.stride_h),
        stride_w(g.stride_w),
        p(static_cast<int>(g.p)),
        q(static_cast<int>(g.q)),
        channels(static_cast<int>(g.k)),
        top(static_cast<int>(g.top)),
        left(static_cast<int>(g.left)),
        dilation_h(static_cast<int>(g.dilation_h)),
        dilation_w(static_cast<int>(g.dilation_w)) {}

  __device__ void shift(int group) { dy += int64_t{group} * static_cast<int>(k.divisor); }
  __device__ float at(int pixel, int term) const {
    const Division image(pixel, hw), in(image.remainder, w), tap(term, k), kernel(tap.quotient, s);
    const int a = in.quotient + top - kernel.quotient * dilation_h;
    const int b = in.remainder + left - kernel.remainder * dilation_w;
    if (a < 0 || b < 0) return 0.0f;
    const Division i(a, stride_h), j(b, stride_w);
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
  int64_t filter;  // r s c / groups

  AdjointWeights(const float* weight, const Conv& g)
      : weight(weight), k(g.group_k()), channels(static_cast<int>(g.group_c())), filter(g.r * g.s * g.group_c()) {}

  __device__ void shift(int group) { weight += int64_t{group} * static_cast<int>(k.divisor) * filter; }
  __device__ float at(int line, int term) const {
    const Division tap(term, k);
    return weight[tap.remainder * filter + int64_t{tap.quotient} * channels + line];
  }
};

// Workspace of the weight gradient; defined beside its kernels. The other directions need none.
int64_t conv2d_bwd_weight_bytes(const Conv& g);

}  // namespace hast

#endif

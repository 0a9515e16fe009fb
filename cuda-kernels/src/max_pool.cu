// Max pooling: y[n, i, j] = max over the r x s window of x from (i stride_h - top, j stride_w - left) on, and its
// adjoint. [n, h, w, c] <-> [n, p, q, c]. The forward pass notes which cell of the window won, so that the backward
// pass gathers: every dx element looks at the windows that hold it, in row-major order, and the bits are always the
// same. Nothing is rounded forward; backward sums at most ceil(r / stride_h) ceil(s / stride_w) values in float32.
//
// A thread takes a pack of channels of one pixel of the result: 16 bytes of values and 4 of cells where c allows. Bytes
// per element: 5 written forward; 4 read stride_h stride_w times forward, 5 read r s / (stride_h stride_w) times
// backward, most from the cache. 3 x 3 with stride 2, that of the ImageNet ResNets, is compiled with these as
// constants.
#include <hast/layer.h>

#include <cmath>

#include "portable/arguments/layer.h"
#include "portable/pooling.h"
#include "rows.cuh"

using namespace hast;

namespace {

// Blocks at once on a multiprocessor; asked for no number, the compiler aims at more and spills.
constexpr unsigned kBlocks = 2;

// The channels of `a` are counted in packs. kWindow and kStride replace both sides and strides of `a` unless 0.
template <int kWidth, int kWindow, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocks)
    largest(Floats<kWidth>* y, Pack<uint8_t, kWidth>* index, const Floats<kWidth>* __restrict__ x, Pooling a) {
  const int32_t r = kWindow != 0 ? kWindow : static_cast<int32_t>(a.r);
  const int32_t s = kWindow != 0 ? kWindow : static_cast<int32_t>(a.s);
  const int64_t stride_h = kStride != 0 ? kStride : a.stride_h, stride_w = kStride != 0 ? kStride : a.stride_w;
  const int64_t p = a.p, q = a.q;
  for (int64_t row = first_row(); row < a.n * p; row += row_step()) {
    const int64_t image = row / p;
    const int64_t top = (row - image * p) * stride_h - a.top;
    for (int64_t i = threadIdx.x; i < q * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const int64_t left = j * stride_w - a.left;
      const int64_t corner = ((image * a.h + top) * a.w + left) * a.c + i - j * a.c;
      // The first pixel of the window wins if all are -inf; padding counts as -inf and so never wins.
      const int32_t first = static_cast<int32_t>(larger(0, -top) * s + larger(0, -left));
      Floats<kWidth> best;
      Pack<uint8_t, kWidth> winner;
      for (int k = 0; k < kWidth; k++) {
        best.at[k] = -INFINITY;
        winner.at[k] = static_cast<uint8_t>(first);
      }
#pragma unroll(kWindow != 0 ? kWindow : 1)
      for (int32_t u = 0; u < r; u++) {
#pragma unroll(kWindow != 0 ? kWindow : 1)
        for (int32_t v = 0; v < s; v++) {
          const bool inside = top + u >= 0 && top + u < a.h && left + v >= 0 && left + v < a.w;
          Floats<kWidth> value;
          for (int k = 0; k < kWidth; k++) value.at[k] = -INFINITY;
          if (inside) value = x[corner + (u * a.w + v) * a.c];
          for (int k = 0; k < kWidth; k++) {
            const float z = value.at[k];
            const bool wins = z > best.at[k] || (z != z && best.at[k] == best.at[k]);
            best.at[k] = wins ? z : best.at[k];
            winner.at[k] = wins ? static_cast<uint8_t>(u * s + v) : winner.at[k];
          }
        }
      }
      y[row * q * a.c + i] = best;
      index[row * q * a.c + i] = winner;
    }
  }
}

template <int kWidth, int kWindow, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocks)
    gather(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, const Pack<uint8_t, kWidth>* __restrict__ index,
           Pooling a) {
  PoolingAxis rows = a.rows(), columns = a.columns();
  if (kWindow != 0) rows.window = columns.window = kWindow;
  if (kStride != 0) rows.stride = columns.stride = kStride;
  for (int64_t row = first_row(); row < a.n * a.h; row += row_step()) {
    const int64_t image = row / a.h;
    const int64_t line = row - image * a.h;
    const int64_t u_first = rows.first_holding(line), u_end = rows.end_holding(line);
    for (int64_t i = threadIdx.x; i < a.w * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const int64_t v_first = columns.first_holding(j), v_end = columns.end_holding(j);
      Floats<kWidth> sum = {};
      for (int64_t u = u_first; u < u_end; u++) {
        for (int64_t v = v_first; v < v_end; v++) {
          const int64_t from = ((image * a.p + u) * a.q + v) * a.c + i - j * a.c;
          const int64_t cell = (line - rows.start(u)) * columns.window + j - columns.start(v);
          const Floats<kWidth> value = dy[from];
          const Pack<uint8_t, kWidth> winner = index[from];
          for (int k = 0; k < kWidth; k++) {
            sum.at[k] += winner.at[k] == static_cast<uint8_t>(cell) ? value.at[k] : 0.0f;
          }
        }
      }
      dx[row * a.w * a.c + i] = sum;
    }
  }
}

Pooling packed(Pooling a, int width) {
  a.c /= width;
  return a;
}

template <int kWidth, int kWindow, int kStride>
int32_t launch_largest(float* y, uint8_t* index, const float* x, const Pooling& a, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.p, a.q * (a.c / kWidth), stream);
  return launch(largest<kWidth, kWindow, kStride>, shape.grid, shape.block, 0, stream, packs<kWidth>(y),
                packs<kWidth>(index), packs<kWidth>(x), packed(a, kWidth));
}

template <int kWidth, int kWindow, int kStride>
int32_t launch_gather(float* dx, const float* dy, const uint8_t* index, const Pooling& a, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.h, a.w * (a.c / kWidth), stream);
  return launch(gather<kWidth, kWindow, kStride>, shape.grid, shape.block, 0, stream, packs<kWidth>(dx),
                packs<kWidth>(dy), packs<kWidth>(index), packed(a, kWidth));
}

bool of_resnet(const Pooling& a) { return a.r == 3 && a.s == 3 && a.stride_h == 2 && a.stride_w == 2; }

}  // namespace

int32_t hast_max_pool_fwd_f32(float* y, uint8_t* index, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                              int64_t r, int64_t s, const int32_t* window, void* stream) noexcept {
  const Pooling a(n, h, w, c, r, s, window);
  if (!valid::max_pool(y, x, index, a, stream)) return HAST_EARGUMENT;
  if (c % 4 != 0 || !aligned16(y, index, x)) return launch_largest<1, 0, 0>(y, index, x, a, stream_of(stream));
  const auto launches = of_resnet(a) ? launch_largest<4, 3, 2> : launch_largest<4, 0, 0>;
  return launches(y, index, x, a, stream_of(stream));
}

int32_t hast_max_pool_bwd_f32(float* dx, const float* dy, const uint8_t* index, int64_t n, int64_t h, int64_t w,
                              int64_t c, int64_t r, int64_t s, const int32_t* window, void* stream) noexcept {
  const Pooling a(n, h, w, c, r, s, window);
  if (!valid::max_pool(dx, dy, index, a, stream)) return HAST_EARGUMENT;
  if (c % 4 != 0 || !aligned16(dx, dy, index)) return launch_gather<1, 0, 0>(dx, dy, index, a, stream_of(stream));
  const auto launches = of_resnet(a) ? launch_gather<4, 3, 2> : launch_gather<4, 0, 0>;
  return launches(dx, dy, index, a, stream_of(stream));
}

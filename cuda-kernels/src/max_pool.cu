// Max pooling: y[n, i, j] = max over the window x window square of x from (i stride - pad, j stride - pad) on, and its
// adjoint. [n, h, w, c] <-> [n, p, q, c]. The forward pass notes which cell of the square won, so that the backward
// pass gathers: every dx element looks at the squares that hold it, in row-major order, and the bits are always the
// same. Nothing is rounded forward; backward sums at most ceil(window / stride)^2 values in float32.
//
// A thread takes a pack of channels of one pixel of the result: 16 bytes of values and 4 of cells where c allows. Bytes
// per element: 5 written forward; 4 read stride^2 times forward, 5 read (window / stride)^2 times backward, most from
// the cache. Window 3 with stride 2, that of the ImageNet ResNets, is compiled with these as constants.
#include <hast/layer.h>

#include <cmath>

#include "portable/arguments/layer.h"
#include "portable/pooling.h"
#include "rows.cuh"

using namespace hast;

namespace {

// Blocks at once on a multiprocessor; asked for no number, the compiler aims at more and spills.
constexpr unsigned kBlocks = 2;

// The channels of `a` are counted in packs. kWindow and kStride replace those of `a` unless 0.
template <int kWidth, int kWindow, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocks)
    largest(Floats<kWidth>* y, Pack<uint8_t, kWidth>* index, const Floats<kWidth>* __restrict__ x, Pooling a) {
  const int32_t window = kWindow != 0 ? kWindow : a.window;
  const int64_t stride = kStride != 0 ? kStride : a.stride;
  const int64_t p = a.p(), q = a.q();
  for (int64_t row = first_row(); row < a.n * p; row += row_step()) {
    const int64_t image = row / p;
    const int64_t top = (row - image * p) * stride - a.pad;
    for (int64_t i = threadIdx.x; i < q * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const int64_t left = j * stride - a.pad;
      const int64_t corner = ((image * a.h + top) * a.w + left) * a.c + i - j * a.c;
      // The first pixel of the square wins if all are -inf; padding counts as -inf and so never wins.
      const int32_t first = static_cast<int32_t>(larger(0, -top) * window + larger(0, -left));
      Floats<kWidth> best;
      Pack<uint8_t, kWidth> winner;
      for (int k = 0; k < kWidth; k++) {
        best.at[k] = -INFINITY;
        winner.at[k] = static_cast<uint8_t>(first);
      }
#pragma unroll(kWindow != 0 ? kWindow : 1)
      for (int32_t u = 0; u < window; u++) {
#pragma unroll(kWindow != 0 ? kWindow : 1)
        for (int32_t v = 0; v < window; v++) {
          const bool inside = top + u >= 0 && top + u < a.h && left + v >= 0 && left + v < a.w;
          Floats<kWidth> value;
          for (int k = 0; k < kWidth; k++) value.at[k] = -INFINITY;
          if (inside) value = x[corner + (u * a.w + v) * a.c];
          for (int k = 0; k < kWidth; k++) {
            const float z = value.at[k];
            const bool wins = z > best.at[k] || (z != z && best.at[k] == best.at[k]);
            best.at[k] = wins ? z : best.at[k];
            winner.at[k] = wins ? static_cast<uint8_t>(u * window + v) : winner.at[k];
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
  const int64_t window = kWindow != 0 ? kWindow : a.window;
  const int64_t stride = kStride != 0 ? kStride : a.stride;
  const int64_t p = a.p(), q = a.q();
  // The first and one past the last square that hold a place, counted with the padding.
  const auto first_holding = [=](int64_t place) { return place < window ? 0 : (place - window) / stride + 1; };
  const auto end_holding = [=](int64_t place, int64_t squares) { return smaller(squares, place / stride + 1); };
  for (int64_t row = first_row(); row < a.n * a.h; row += row_step()) {
    const int64_t image = row / a.h;
    const int64_t line = row - image * a.h + a.pad;
    const int64_t u_first = first_holding(line), u_end = end_holding(line, p);
    for (int64_t i = threadIdx.x; i < a.w * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const int64_t place = j + a.pad;
      const int64_t v_first = first_holding(place), v_end = end_holding(place, q);
      Floats<kWidth> sum = {};
      for (int64_t u = u_first; u < u_end; u++) {
        for (int64_t v = v_first; v < v_end; v++) {
          const int64_t from = ((image * p + u) * q + v) * a.c + i - j * a.c;
          const int64_t cell = (line - u * stride) * window + place - v * stride;
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

Pooling packed(const Pooling& a, int width) { return {a.n, a.h, a.w, a.c / width, a.window, a.stride, a.pad}; }

template <int kWidth, int kWindow, int kStride>
int32_t launch_largest(float* y, uint8_t* index, const float* x, const Pooling& a, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.p(), a.q() * (a.c / kWidth), stream);
  return launch(largest<kWidth, kWindow, kStride>, shape.grid, shape.block, 0, stream, packs<kWidth>(y),
                packs<kWidth>(index), packs<kWidth>(x), packed(a, kWidth));
}

template <int kWidth, int kWindow, int kStride>
int32_t launch_gather(float* dx, const float* dy, const uint8_t* index, const Pooling& a, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.h, a.w * (a.c / kWidth), stream);
  return launch(gather<kWidth, kWindow, kStride>, shape.grid, shape.block, 0, stream, packs<kWidth>(dx),
                packs<kWidth>(dy), packs<kWidth>(index), packed(a, kWidth));
}

bool of_resnet(const Pooling& a) { return a.window == 3 && a.stride == 2; }

}  // namespace

int32_t hast_max_pool_fwd_f32(float* y, uint8_t* index, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                              int32_t window, int32_t stride, int32_t pad, void* stream) noexcept {
  const Pooling a{n, h, w, c, window, stride, pad};
  if (!valid::max_pool(y, x, index, a, stream)) return HAST_EARGUMENT;
  if (c % 4 != 0 || !aligned16(y, index, x)) return launch_largest<1, 0, 0>(y, index, x, a, stream_of(stream));
  const auto launches = of_resnet(a) ? launch_largest<4, 3, 2> : launch_largest<4, 0, 0>;
  return launches(y, index, x, a, stream_of(stream));
}

int32_t hast_max_pool_bwd_f32(float* dx, const float* dy, const uint8_t* index, int64_t n, int64_t h, int64_t w,
                              int64_t c, int32_t window, int32_t stride, int32_t pad, void* stream) noexcept {
  const Pooling a{n, h, w, c, window, stride, pad};
  if (!valid::max_pool(dx, dy, index, a, stream)) return HAST_EARGUMENT;
  if (c % 4 != 0 || !aligned16(dx, dy, index)) return launch_gather<1, 0, 0>(dx, dy, index, a, stream_of(stream));
  const auto launches = of_resnet(a) ? launch_gather<4, 3, 2> : launch_gather<4, 0, 0>;
  return launches(dx, dy, index, a, stream_of(stream));
}

// Average pooling: y[n, i, j] = the sum over the r x s window of x from (i stride_h - top, j stride_w - left) on,
// divided by the number of its cells; and its adjoint. [n, h, w, c] <-> [n, p, q, c]. Sums in float32 in row-major
// order, backward of quotients: the bits are always the same.
//
// A thread takes a pack of channels of one pixel of the result, 16 bytes where c allows. Bytes per element: 4 written;
// 4 read stride_h stride_w times forward, r s / (stride_h stride_w) times backward, most from the cache.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "portable/pooling.h"
#include "rows.cuh"

using namespace hast;

namespace {

// Blocks at once on a multiprocessor; asked for no number, the compiler aims at more and spills.
constexpr unsigned kBlocks = 2;

// The channels of `a` are counted in packs.
template <int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocks)
    average(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, Pooling a, bool with_padding) {
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = first_row(); row < a.n * a.p; row += row_step()) {
    const int64_t image = row / a.p;
    const int64_t line = row - image * a.p;
    for (int64_t i = threadIdx.x; i < a.q * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const Floats<kWidth>* from = x + image * a.h * a.w * a.c + i - j * a.c;
      Floats<kWidth> sum = {};
      for (int64_t u = rows.first_held(line); u < rows.end_held(line); u++) {
        for (int64_t v = columns.first_held(j); v < columns.end_held(j); v++) {
          const Floats<kWidth> value = from[(u * a.w + v) * a.c];
          for (int k = 0; k < kWidth; k++) sum[k] += value[k];
        }
      }
      const float cells = a.cells(line, j, with_padding);
      for (int k = 0; k < kWidth; k++) sum[k] /= cells;
      y[row * a.q * a.c + i] = sum;
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocks)
    gather(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, Pooling a, bool with_padding) {
  const PoolingAxis rows = a.rows(), columns = a.columns();
  for (int64_t row = first_row(); row < a.n * a.h; row += row_step()) {
    const int64_t image = row / a.h;
    const int64_t line = row - image * a.h;
    for (int64_t i = threadIdx.x; i < a.w * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      Floats<kWidth> sum = {};
      for (int64_t u = rows.first_holding(line); u < rows.end_holding(line); u++) {
        for (int64_t v = columns.first_holding(j); v < columns.end_holding(j); v++) {
          const Floats<kWidth> value = dy[((image * a.p + u) * a.q + v) * a.c + i - j * a.c];
          const float cells = a.cells(u, v, with_padding);
          for (int k = 0; k < kWidth; k++) sum[k] += value[k] / cells;
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

template <int kWidth>
int32_t launch_average(float* y, const float* x, const Pooling& a, bool with_padding, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.p, a.q * (a.c / kWidth), stream);
  return launch(average<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(y), packs<kWidth>(x),
                packed(a, kWidth), with_padding);
}

template <int kWidth>
int32_t launch_gather(float* dx, const float* dy, const Pooling& a, bool with_padding, const Stream& stream) {
  const Shape shape = rows_shape(a.n * a.h, a.w * (a.c / kWidth), stream);
  return launch(gather<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(dx), packs<kWidth>(dy),
                packed(a, kWidth), with_padding);
}

}  // namespace

int32_t hast_avg_pool_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                              int64_t s, const int32_t* window, int32_t count_include_pad, void* stream) noexcept {
  const Pooling a(n, h, w, c, r, s, window);
  if (!valid::avg_pool(y, x, a, stream)) return HAST_EARGUMENT;
  const auto launches = c % 4 == 0 && aligned16(y, x) ? launch_average<4> : launch_average<1>;
  return launches(y, x, a, count_include_pad != 0, stream_of(stream));
}

int32_t hast_avg_pool_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                              int64_t s, const int32_t* window, int32_t count_include_pad, void* stream) noexcept {
  const Pooling a(n, h, w, c, r, s, window);
  if (!valid::avg_pool(dx, dy, a, stream)) return HAST_EARGUMENT;
  const auto launches = c % 4 == 0 && aligned16(dx, dy) ? launch_gather<4> : launch_gather<1>;
  return launches(dx, dy, a, count_include_pad != 0, stream_of(stream));
}

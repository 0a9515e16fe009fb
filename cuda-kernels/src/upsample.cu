// Nearest-neighbour upsampling by 2, [n, h, w, c] -> [n, 2h, 2w, c], and its adjoint: the sum of four, as
// (upper left + upper right) + (lower left + lower right), so results agree bit for bit with the other libraries.
// Bytes per element of the small image: 4 + 16. A thread takes a pack of channels of one small pixel, 16 bytes where c
// allows, and touches it once and the four large ones once.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

// Where the first of the four large pixels' packs lies, for item i of a small row of w * columns packs: the item's own
// place in its row, moved on by as many pixels as stand before it.
__device__ inline int64_t upper_left(int64_t row, int64_t i, int64_t w, int64_t columns) {
  return row * 4 * w * columns + i + i / columns * columns;
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    repeat(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, int64_t rows, int64_t w, int64_t columns) {
  for (int64_t row = first_row(); row < rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < w * columns; i += blockDim.x) {
      const Floats<kWidth> value = x[row * w * columns + i];
      Floats<kWidth>* upper = y + upper_left(row, i, w, columns);
      Floats<kWidth>* lower = upper + 2 * w * columns;
      upper[0] = value;
      upper[columns] = value;
      lower[0] = value;
      lower[columns] = value;
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_four(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, int64_t rows, int64_t w, int64_t columns) {
  for (int64_t row = first_row(); row < rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < w * columns; i += blockDim.x) {
      const Floats<kWidth>* upper = dy + upper_left(row, i, w, columns);
      const Floats<kWidth>* lower = upper + 2 * w * columns;
      const Floats<kWidth> a = upper[0], b = upper[columns], c = lower[0], d = lower[columns];
      Floats<kWidth> sum;
      for (int k = 0; k < kWidth; k++) sum.at[k] = (a.at[k] + b.at[k]) + (c.at[k] + d.at[k]);
      dx[row * w * columns + i] = sum;
    }
  }
}

template <int kWidth>
using Kernel = void (*)(Floats<kWidth>*, const Floats<kWidth>*, int64_t, int64_t, int64_t);

template <int kWidth>
int32_t resample(Kernel<kWidth> kernel, float* to, const float* from, int64_t rows, int64_t w, int64_t c,
                 const Stream& stream) {
  const int64_t columns = c / kWidth;
  const Shape shape = rows_shape(rows, w * columns, stream);
  return launch(kernel, shape.grid, shape.block, 0, stream, packs<kWidth>(to), packs<kWidth>(from), rows, w, columns);
}

}  // namespace

int32_t hast_upsample_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c,
                              void* stream) noexcept {
  if (!valid::upsample(y, x, n, h, w, c, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  return c % 4 == 0 && aligned16(y, x) ? resample<4>(repeat<4>, y, x, n * h, w, c, s)
                                       : resample<1>(repeat<1>, y, x, n * h, w, c, s);
}

int32_t hast_upsample_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c,
                              void* stream) noexcept {
  if (!valid::upsample(dx, dy, n, h, w, c, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  return c % 4 == 0 && aligned16(dx, dy) ? resample<4>(add_four<4>, dx, dy, n * h, w, c, s)
                                         : resample<1>(add_four<1>, dx, dy, n * h, w, c, s);
}

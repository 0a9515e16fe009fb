// A range of the channels of [rows, c], its adjoint (zeros around it), and its counterpart, one input's part of a
// concatenation. Copies only, so the bits are always the same. A thread writes a pack of channels of one row, 16 bytes
// where c, the range and its begin allow. 8 bytes per element of the smaller tensor, and 4 per zero.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    slice(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, ChannelRange a) {
  for (int64_t row = first_row(); row < a.rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < a.k; i += blockDim.x) y[row * a.k + i] = x[row * a.c + a.begin + i];
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    slice_gradient(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, ChannelRange a) {
  for (int64_t row = first_row(); row < a.rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < a.c; i += blockDim.x) {
      const int64_t channel = i - a.begin;
      dx[row * a.c + i] = channel >= 0 && channel < a.k ? dy[row * a.k + channel] : Floats<kWidth>{};
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    concat(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, ChannelRange a) {
  for (int64_t row = first_row(); row < a.rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < a.k; i += blockDim.x) y[row * a.c + a.begin + i] = x[row * a.k + i];
  }
}

template <int kWidth>
using Kernel = void (*)(Floats<kWidth>*, const Floats<kWidth>*, ChannelRange);

// `width` is that of the rows the kernel walks.
template <int kWidth>
int32_t run(Kernel<kWidth> kernel, float* to, const float* from, const ChannelRange& a, int64_t width,
            const Stream& stream) {
  const ChannelRange packed{a.rows, a.c / kWidth, a.k / kWidth, a.begin / kWidth};
  const Shape shape = rows_shape(a.rows, width / kWidth, stream);
  return launch(kernel, shape.grid, shape.block, 0, stream, packs<kWidth>(to), packs<kWidth>(from), packed);
}

int32_t run(Kernel<4> wide, Kernel<1> narrow, float* to, const float* from, const ChannelRange& a, int64_t width,
            void* stream) {
  if (!valid::channels(to, from, a, stream)) return HAST_EARGUMENT;
  const bool packed = a.c % 4 == 0 && a.k % 4 == 0 && a.begin % 4 == 0 && aligned16(to, from);
  return packed ? run<4>(wide, to, from, a, width, stream_of(stream))
                : run<1>(narrow, to, from, a, width, stream_of(stream));
}

}  // namespace

int32_t hast_slice_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  return run(slice<4>, slice<1>, y, x, {rows, c, k, begin}, k, stream);
}

int32_t hast_slice_bwd_f32(float* dx, const float* dy, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  return run(slice_gradient<4>, slice_gradient<1>, dx, dy, {rows, c, k, begin}, c, stream);
}

int32_t hast_concat_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                            void* stream) noexcept {
  return run(concat<4>, concat<1>, y, x, {rows, c, k, begin}, k, stream);
}

// ResNet's shortcut A: every stride-th pixel, zero channels in front and behind; and its adjoint.
// [n, h, w, c] <-> [n, ceil(h / stride), ceil(w / stride), k], front = (k - c) / 2. Copies only. A thread writes a pack
// of channels of one pixel, 16 bytes where c, k and front allow; 4 bytes written per element, and those read that are
// not zeros.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    shortcut(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, Shortcut a) {
  const int64_t p = a.p(), q = a.q();
  for (int64_t row = first_row(); row < a.n * p; row += row_step()) {
    const Floats<kWidth>* from = x + (row / p * a.h + row % p * a.stride) * a.w * a.c;
    for (int64_t i = threadIdx.x; i < q * a.k; i += blockDim.x) {
      const int64_t j = i / a.k;
      const int64_t channel = i - j * a.k - a.front;
      const bool exists = channel >= 0 && channel < a.c;
      y[row * q * a.k + i] = exists ? from[j * a.stride * a.c + channel] : Floats<kWidth>{};
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    shortcut_gradient(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, Shortcut a) {
  const int64_t p = a.p(), q = a.q();
  for (int64_t row = first_row(); row < a.n * a.h; row += row_step()) {
    const int64_t image = row / a.h;
    const int64_t line = row - image * a.h;
    const Floats<kWidth>* from = dy + (image * p + line / a.stride) * q * a.k + a.front;
    for (int64_t i = threadIdx.x; i < a.w * a.c; i += blockDim.x) {
      const int64_t j = i / a.c;
      const bool read = line % a.stride == 0 && j % a.stride == 0;
      dx[row * a.w * a.c + i] = read ? from[j / a.stride * a.k + i - j * a.c] : Floats<kWidth>{};
    }
  }
}

bool packed(const Shortcut& a, const float* to, const float* from) {
  return a.c % 4 == 0 && a.k % 4 == 0 && a.front % 4 == 0 && aligned16(to, from);
}

template <int kWidth>
int32_t launch_shortcut(float* y, const float* x, const Shortcut& a, const Stream& stream) {
  const Shortcut packed = a.packed(kWidth);
  const Shape shape = rows_shape(a.n * a.p(), a.q() * packed.k, stream);
  return launch(shortcut<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(y), packs<kWidth>(x), packed);
}

template <int kWidth>
int32_t launch_gradient(float* dx, const float* dy, const Shortcut& a, const Stream& stream) {
  const Shortcut packed = a.packed(kWidth);
  const Shape shape = rows_shape(a.n * a.h, a.w * packed.c, stream);
  return launch(shortcut_gradient<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(dx), packs<kWidth>(dy),
                packed);
}

}  // namespace

int32_t hast_shortcut_fwd_f32(float* y, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  const Shortcut a(n, h, w, c, k, stride);
  if (!valid::shortcut(y, x, a, stream)) return HAST_EARGUMENT;
  return packed(a, y, x) ? launch_shortcut<4>(y, x, a, stream_of(stream))
                         : launch_shortcut<1>(y, x, a, stream_of(stream));
}

int32_t hast_shortcut_bwd_f32(float* dx, const float* dy, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                              int32_t stride, void* stream) noexcept {
  const Shortcut a(n, h, w, c, k, stride);
  if (!valid::shortcut(dx, dy, a, stream)) return HAST_EARGUMENT;
  return packed(a, dx, dy) ? launch_gradient<4>(dx, dy, a, stream_of(stream))
                           : launch_gradient<1>(dx, dy, a, stream_of(stream));
}

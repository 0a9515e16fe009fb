// Activations on their own and their gradients (elementwise.h has the formulas, activation.h their operations).
//
// Shapes [n]. Every operation is rounded on its own (no contraction), so the piecewise linear ones agree bit for bit
// with the other libraries; exp and erf are each library's own. Deterministic. 16 bytes a thread where all addresses
// allow it. Bytes per element: 8 forward, 12 backward.
#include "elementwise.cuh"
#include "portable/activation.h"

using namespace hast;

namespace {

template <class Function>
struct Value {
  Function function;
  __device__ float operator()(float x) const { return function.of(x); }
};
template <class Function>
struct Gradient {
  Function function;
  __device__ float operator()(float dy, float x) const { return dy * function.slope(x); }
};

}  // namespace

int32_t hast_activation_fwd_f32(float* y, const float* x, int64_t n, int32_t kind, float slope, float ceiling,
                                void* stream) noexcept {
  return with_activation(kind, {slope, ceiling}, [&](auto activation) {
    return elementwise(stream, y, n, Value<decltype(activation)>{activation}, x);
  });
}

int32_t hast_activation_bwd_f32(float* dx, const float* dy, const float* x, int64_t n, int32_t kind, float slope,
                                float ceiling, void* stream) noexcept {
  return with_activation(kind, {slope, ceiling}, [&](auto activation) {
    return elementwise(stream, dx, n, Gradient<decltype(activation)>{activation}, dy, x);
  });
}

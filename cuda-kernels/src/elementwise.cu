// Element-wise kernels and the step counter (elementwise.h has the formulas).
//
// Shapes [n]; add and mul [n, hw, c], with a second operand [n, c] that is repeated over hw. Every operation is rounded
// on its own (no contraction), so results agree bit for bit with the other libraries but for tanh. 16 bytes a thread
// where all addresses allow it. Bytes per element: fill 4, scale and tanh 8, add, mul, tanh gradient and sign
// perturbation 12, add and mul of what is repeated 8.
#include <hast/elementwise.h>

#include "elementwise.cuh"
#include "rows.cuh"

using namespace hast;

namespace {

struct Fill {
  float value;
  __device__ float operator()() const { return value; }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Multiply {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Scale {
  float factor;
  __device__ float operator()(float x) const { return factor * x; }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct TanhGradient {
  __device__ float operator()(float dy, float y) const { return dy * (1.0f - y * y); }
};
struct SignPerturb {
  float epsilon;
  __device__ float operator()(float x, float g) const {
    const float sign = g > 0.0f ? 1.0f : g < 0.0f ? -1.0f : g;  // 0 and NaN stay
    return x + epsilon * sign;
  }
};

// y may be a: an element is read before it is written, by the same thread.
template <int kWidth, class Function>
__global__ void __launch_bounds__(kThreads)
    apply_repeated(Floats<kWidth>* y, const Floats<kWidth>* a, const Floats<kWidth>* __restrict__ b, int64_t rows,
                   int64_t hw, int64_t columns, Function function) {
  for (int64_t row = first_row(); row < rows; row += row_step()) {
    const Floats<kWidth>* repeated = b + row / hw * columns;
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      Floats<kWidth> value = a[row * columns + i];
      const Floats<kWidth> other = repeated[i];
      for (int k = 0; k < kWidth; k++) value[k] = function(value[k], other[k]);
      y[row * columns + i] = value;
    }
  }
}

template <int kWidth, class Function>
int32_t launch_repeated(float* y, const float* a, const float* b, int64_t rows, int64_t hw, int64_t c,
                        const Stream& stream, Function function) {
  const Shape shape = rows_shape(rows, c / kWidth, stream);
  return launch(apply_repeated<kWidth, Function>, shape.grid, shape.block, 0, stream, packs<kWidth>(y),
                packs<kWidth>(a), packs<kWidth>(b), rows, hw, c / kWidth, function);
}

template <class Function>
int32_t combine(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c, void* stream,
                Function function) {
  if (!valid::combine(y, a, b, n, hw, c, stream)) return HAST_EARGUMENT;
  if (hw == 1) return elementwise(stream, y, n * c, function, a, b);
  const auto launches = c % 4 == 0 && aligned16(y, a, b) ? launch_repeated<4, Function> : launch_repeated<1, Function>;
  return launches(y, a, b, n * hw, hw, c, stream_of(stream), function);
}

__global__ void count(int64_t* counter) { *counter += 1; }

}  // namespace

int32_t hast_fill_fwd_f32(float* y, int64_t n, float value, void* stream) noexcept {
  return elementwise(stream, y, n, Fill{value});
}

int32_t hast_add_fwd_f32(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c,
                         void* stream) noexcept {
  return combine(y, a, b, n, hw, c, stream, Add{});
}

int32_t hast_mul_fwd_f32(float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c,
                         void* stream) noexcept {
  return combine(y, a, b, n, hw, c, stream, Multiply{});
}

int32_t hast_scale_fwd_f32(float* y, const float* x, int64_t n, float factor, void* stream) noexcept {
  return elementwise(stream, y, n, Scale{factor}, x);
}

int32_t hast_tanh_fwd_f32(float* y, const float* x, int64_t n, void* stream) noexcept {
  return elementwise(stream, y, n, Tanh{}, x);
}

int32_t hast_tanh_bwd_f32(float* dx, const float* dy, const float* y, int64_t n, void* stream) noexcept {
  return elementwise(stream, dx, n, TanhGradient{}, dy, y);
}

int32_t hast_sign_perturb_fwd_f32(float* y, const float* x, const float* g, int64_t n, float epsilon,
                                  void* stream) noexcept {
  return elementwise(stream, y, n, SignPerturb{epsilon}, x, g);
}

int32_t hast_counter_step_i64(int64_t* counter, void* stream) noexcept {
  if (!valid::counter_step(counter, stream)) return HAST_EARGUMENT;
  return launch(count, 1, 1, 0, stream_of(stream), counter);
}

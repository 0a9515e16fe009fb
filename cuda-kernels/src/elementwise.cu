// Element-wise kernels and the step counter (elementwise.h has the formulas).
//
// Shapes [n]. Every operation is rounded on its own (no contraction), so results agree bit for bit with the other
// libraries but for tanh. 16 bytes a thread where all addresses allow it. Bytes per element: fill 4, scale and tanh 8,
// add, tanh gradient and sign perturbation 12.
#include <hast/elementwise.h>

#include "kernel.cuh"

using namespace hast;

namespace {

struct Fill {
  float value;
  __device__ float operator()() const { return value; }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
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

// y may be any of the inputs: an element is read before it is written, by the same thread.
template <class Function, class... Inputs>
__global__ void apply(float* y, int64_t n, Function function, const Inputs*... inputs) {
  for (int64_t i = first_item(); i < n; i += item_step()) y[i] = function(inputs[i]...);
}

template <class Function, class... Inputs>
__global__ void apply4(float4* y, int64_t n, Function function, const Inputs*... inputs) {
  for (int64_t i = first_item(); i < n; i += item_step()) {
    const float4 result = make_float4(function(inputs[i].x...), function(inputs[i].y...), function(inputs[i].z...),
                                      function(inputs[i].w...));
    y[i] = result;
  }
}

template <class>
struct Wide {
  using type = float4;
};

template <class Function, class... Inputs>
int32_t elementwise(void* stream, float* y, int64_t n, Function function, const Inputs*... inputs) {
  if (any_null(y, inputs..., static_cast<const char*>(stream)) || n < 1) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  if (n % 4 == 0 && aligned16(y, inputs...)) {
    return launch(apply4<Function, typename Wide<Inputs>::type...>, blocks_for(n / 4, s), kThreads, 0, s,
                  reinterpret_cast<float4*>(y), n / 4, function, reinterpret_cast<const float4*>(inputs)...);
  }
  return launch(apply<Function, Inputs...>, blocks_for(n, s), kThreads, 0, s, y, n, function, inputs...);
}

__global__ void count(int64_t* counter) { *counter += 1; }

}  // namespace

int32_t hast_fill_fwd_f32(float* y, int64_t n, float value, void* stream) noexcept {
  return elementwise(stream, y, n, Fill{value});
}

int32_t hast_add_fwd_f32(float* y, const float* a, const float* b, int64_t n, void* stream) noexcept {
  return elementwise(stream, y, n, Add{}, a, b);
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
  if (counter == nullptr || stream == nullptr) return HAST_EARGUMENT;
  return launch(count, 1, 1, 0, stream_of(stream), counter);
}

// Kernels that compute each element from the elements in the same place: 16 bytes a thread where all addresses allow
// it.
#ifndef HAST_ELEMENTWISE_CUH
#define HAST_ELEMENTWISE_CUH

#include "kernel.cuh"
#include "portable/arguments/elementwise.h"

namespace hast {

// y may be any of the inputs: an element is read before it is written, by the same thread.
template <class Function, class... Inputs>
__global__ void apply(float* y, int64_t n, Function function, const Inputs*... inputs) {
  for (int64_t i = first_item(); i < n; i += item_step()) y[i] = function(inputs[i]...);
}

// By value, so that 16 bytes are loaded at once however the function branches.
template <class Function, class... Values>
__device__ float4 each(Function function, Values... values) {
  return make_float4(function(values.x...), function(values.y...), function(values.z...), function(values.w...));
}

template <class Function, class... Inputs>
__global__ void apply4(float4* y, int64_t n, Function function, const Inputs*... inputs) {
  for (int64_t i = first_item(); i < n; i += item_step()) y[i] = each(function, inputs[i]...);
}

template <class>
struct Wide {
  using type = float4;
};

template <class Function, class... Inputs>
int32_t elementwise(void* stream, float* y, int64_t n, Function function, const Inputs*... inputs) {
  if (!valid::elementwise(stream, y, n, inputs...)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  if (n % 4 == 0 && aligned16(y, inputs...)) {
    return launch(apply4<Function, typename Wide<Inputs>::type...>, blocks_for(n / 4, s), kThreads, 0, s,
                  reinterpret_cast<float4*>(y), n / 4, function, reinterpret_cast<const float4*>(inputs)...);
  }
  return launch(apply<Function, Inputs...>, blocks_for(n, s), kThreads, 0, s, y, n, function, inputs...);
}

}  // namespace hast

#endif

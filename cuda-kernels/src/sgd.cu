// SGD with momentum: d = g + decay p;  buffer = momentum buffer + d
//   p -= lr rate (nesterov ? d + momentum buffer : buffer),  rate = rates[i], or 1 without rates
//
// Shapes [n]: one launch over all parameters, which are one vector. 16 bytes a thread and array where all addresses
// allow it. 20 bytes per element, 24 with rates.
#include <hast/optim.h>

#include "kernel.cuh"
#include "portable/arguments/optim.h"

using namespace hast;

namespace {

template <bool kNesterov>
struct Rule {
  float lr, momentum, decay;

  __device__ void update(float& p, float& buffer, float g, float rate) const {
    const float d = g + decay * p;
    buffer = momentum * buffer + d;
    p -= lr * rate * (kNesterov ? d + momentum * buffer : buffer);
  }
};

template <bool kNesterov>
__global__ void step_all(float* p, float* buffer, const float* g, const float* lr, const float* rates, int64_t n,
                         int64_t quads, float momentum, float decay) {
  const Rule<kNesterov> rule{*lr, momentum, decay};
  for (int64_t i = first_item(); i < quads; i += item_step()) {
    float4 p4 = reinterpret_cast<float4*>(p)[i];
    float4 buffer4 = reinterpret_cast<float4*>(buffer)[i];
    const float4 g4 = reinterpret_cast<const float4*>(g)[i];
    float4 rate4{1.0f, 1.0f, 1.0f, 1.0f};
    if (rates != nullptr) rate4 = reinterpret_cast<const float4*>(rates)[i];
    rule.update(p4.x, buffer4.x, g4.x, rate4.x);
    rule.update(p4.y, buffer4.y, g4.y, rate4.y);
    rule.update(p4.z, buffer4.z, g4.z, rate4.z);
    rule.update(p4.w, buffer4.w, g4.w, rate4.w);
    reinterpret_cast<float4*>(p)[i] = p4;
    reinterpret_cast<float4*>(buffer)[i] = buffer4;
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) {
    rule.update(p[i], buffer[i], g[i], rates != nullptr ? rates[i] : 1.0f);
  }
}

}  // namespace

int32_t hast_sgd_step_f32(float* p, float* buffer, const float* g, const float* lr, const float* rates, int64_t n,
                          float momentum, float decay, int32_t nesterov, void* stream) noexcept {
  if (!valid::sgd_step(p, buffer, g, lr, n, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, p, buffer, g, rates);
  return launch(nesterov != 0 ? step_all<true> : step_all<false>, blocks_for(larger(quads, n - 4 * quads), s), kThreads,
                0, s, p, buffer, g, lr, rates, n, quads, momentum, decay);
}

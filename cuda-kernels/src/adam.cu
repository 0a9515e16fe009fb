// Adam (Kingma & Ba 2015, PyTorch's form): m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g²
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon),  t = *step + 1
//
// Shapes [n]: one launch over all parameters, which are one vector. The two factors that depend on t are computed in
// double and rounded once, each by one thread of every block (steps.h); square root and division are IEEE's. 16 bytes a
// thread and array where all addresses allow it. 28 bytes per element.
#include <hast/optim.h>

#include "kernel.cuh"
#include "steps.h"

using namespace hast;

namespace {

struct Factors {
  float beta1, rest1, beta2, rest2, rate, inverse_root, epsilon;

  __device__ void update(float& p, float& m, float& v, float g) const {
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    p -= rate * m / (sqrtf(v) * inverse_root + epsilon);
  }
};

// Two warps compute the two factors side by side.
__global__ void step_all(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step, int64_t n,
                         int64_t quads, Factors factors) {
  __shared__ float rate, inverse_root;
  const int64_t t = *step + 1;
  if (threadIdx.x == 0) rate = adam_rate(*lr, factors.beta1, t);
  if (threadIdx.x == kWarp) inverse_root = adam_inverse_root(factors.beta2, t);
  __syncthreads();
  factors.rate = rate;
  factors.inverse_root = inverse_root;

  for (int64_t i = first_item(); i < quads; i += item_step()) {
    float4 p4 = reinterpret_cast<float4*>(p)[i];
    float4 m4 = reinterpret_cast<float4*>(m)[i];
    float4 v4 = reinterpret_cast<float4*>(v)[i];
    const float4 g4 = reinterpret_cast<const float4*>(g)[i];
    factors.update(p4.x, m4.x, v4.x, g4.x);
    factors.update(p4.y, m4.y, v4.y, g4.y);
    factors.update(p4.z, m4.z, v4.z, g4.z);
    factors.update(p4.w, m4.w, v4.w, g4.w);
    reinterpret_cast<float4*>(p)[i] = p4;
    reinterpret_cast<float4*>(m)[i] = m4;
    reinterpret_cast<float4*>(v)[i] = v4;
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) factors.update(p[i], m[i], v[i], g[i]);
}

}  // namespace

int32_t hast_adam_step_f32(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step,
                           int64_t n, float beta1, float beta2, float epsilon, void* stream) noexcept {
  if (any_null(p, m, v, g, lr) || step == nullptr || stream == nullptr || n < 1) return HAST_EARGUMENT;
  if (!(beta1 >= 0.0f && beta1 < 1.0f && beta2 >= 0.0f && beta2 < 1.0f && epsilon >= 0.0f)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const Factors factors{beta1, adam_rest(beta1), beta2, adam_rest(beta2), 0.0f, 0.0f, epsilon};
  const int64_t quads = quads_of(n, p, m, v, g);
  return launch(step_all, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, p, m, v, g, lr, step, n, quads,
                factors);
}

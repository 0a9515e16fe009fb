// Adam's step of one vector (adam.cu has the formula), for the kernels that are made of it.
#ifndef HAST_ADAM_CUH
#define HAST_ADAM_CUH

#include "kernel.cuh"
#include "portable/steps.h"

namespace hast {

struct Adam {
  float beta1, rest1, beta2, rest2, rate, inverse_root, epsilon;

  __device__ void update(float& p, float& m, float& v, float g) const {
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    p -= rate * m / (sqrtf(v) * inverse_root + epsilon);
  }
};

// What the host knows of it; rate and inverse_root depend on device memory.
inline Adam adam_of(float beta1, float beta2, float epsilon) {
  return Adam{beta1, adam_rest(beta1), beta2, adam_rest(beta2), 0.0f, 0.0f, epsilon};
}

// The whole grid's share of the step. Two warps compute the two factors side by side. A barrier: every thread of the
// block must call it.
__device__ inline void adam_step(float* p, float* m, float* v, const float* g, const float* lr, const int64_t* step,
                                 int64_t n, int64_t quads, Adam adam) {
  __shared__ float rate, inverse_root;
  const int64_t t = *step + 1;
  if (threadIdx.x == 0) rate = adam_rate(*lr, adam.beta1, t);
  if (threadIdx.x == kWarp) inverse_root = adam_inverse_root(adam.beta2, t);
  __syncthreads();
  adam.rate = rate;
  adam.inverse_root = inverse_root;

  for (int64_t i = first_item(); i < quads; i += item_step()) {
    float4 p4 = reinterpret_cast<float4*>(p)[i];
    float4 m4 = reinterpret_cast<float4*>(m)[i];
    float4 v4 = reinterpret_cast<float4*>(v)[i];
    const float4 g4 = reinterpret_cast<const float4*>(g)[i];
    adam.update(p4.x, m4.x, v4.x, g4.x);
    adam.update(p4.y, m4.y, v4.y, g4.y);
    adam.update(p4.z, m4.z, v4.z, g4.z);
    adam.update(p4.w, m4.w, v4.w, g4.w);
    reinterpret_cast<float4*>(p)[i] = p4;
    reinterpret_cast<float4*>(m)[i] = m4;
    reinterpret_cast<float4*>(v)[i] = v4;
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) adam.update(p[i], m[i], v[i], g[i]);
}

}  // namespace hast

#endif

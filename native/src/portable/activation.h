// A leaky ReLU, bounded above or not, and the mask of its gradient, as the norms have them fused; and every activation
// of elementwise.h with its slope. Include it only in files that are compiled without contraction (EXACT_SOURCES of
// both libraries), as quantizer.h.
#ifndef HAST_ACTIVATION_H
#define HAST_ACTIVATION_H

#include <hast/elementwise.h>

#include <cmath>

#include "arguments/elementwise.h"
#include "portable.h"

namespace hast {

struct Activation {
  float slope, ceiling;

  HAST_PORTABLE HAST_INLINE bool bounded() const { return ceiling < __builtin_inff(); }
};

// Both take `bounded` apart, for loops that are compiled for one of the two. The first says whether the gradient
// passes: without a bound at infinity too.
HAST_PORTABLE HAST_INLINE bool passes(const Activation& activation, bool bounded, float v) {
  return bounded ? (v > 0.0f) & (v < activation.ceiling) : v > 0.0f;
}

// The comparisons keep a NaN a NaN.
HAST_PORTABLE HAST_INLINE float activate(const Activation& activation, bool bounded, float v) {
  const float y = v > 0.0f ? v : activation.slope * v;
  return bounded && y > activation.ceiling ? activation.ceiling : y;
}

// ---- the activations of elementwise.h: y = of(x), dx = dy * slope(x) ----

template <bool kBounded>
struct Relu {
  Activation activation;
  HAST_PORTABLE HAST_INLINE float of(float x) const { return activate(activation, kBounded, x); }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    return passes(activation, kBounded, x) ? 1.0f : activation.slope;
  }
};

// min(max(x + 3, 0), 6); the comparisons keep a NaN a NaN.
HAST_PORTABLE HAST_INLINE float hard_step(float x) {
  const float y = x + 3.0f;
  return y < 0.0f ? 0.0f : y > 6.0f ? 6.0f : y;
}

struct HardSigmoid {
  HAST_PORTABLE HAST_INLINE float of(float x) const { return hard_step(x) / 6.0f; }
  HAST_PORTABLE HAST_INLINE float slope(float x) const { return (x > -3.0f) & (x < 3.0f) ? 1.0f / 6.0f : 0.0f; }
};

struct HardSwish {
  HAST_PORTABLE HAST_INLINE float of(float x) const { return x * hard_step(x) / 6.0f; }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    const float inside = x / 3.0f + 0.5f;
    return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : inside;
  }
};

HAST_PORTABLE HAST_INLINE float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

struct Sigmoid {
  HAST_PORTABLE HAST_INLINE float of(float x) const { return sigmoid(x); }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    const float y = sigmoid(x);
    return y * (1.0f - y);
  }
};

struct Silu {
  HAST_PORTABLE HAST_INLINE float of(float x) const { return x / (1.0f + std::exp(-x)); }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    const float y = sigmoid(x);
    return y * (1.0f + x * (1.0f - y));
  }
};

struct Gelu {
  HAST_PORTABLE HAST_INLINE static float normal_cdf(float x) {
    return 0.5f * (1.0f + std::erf(x * 0.70710678118654752440f));
  }
  HAST_PORTABLE HAST_INLINE float of(float x) const { return x * normal_cdf(x); }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    return normal_cdf(x) + x * (0.39894228040143267794f * std::exp(-0.5f * x * x));
  }
};

// tanh(log(1 + e)) = n / (n + 2), n = e (e + 2), e = exp(x): 1 in single precision from 20 on, where n would overflow.
struct Mish {
  HAST_PORTABLE HAST_INLINE static float exponential(float x) { return std::exp(x > 20.0f ? 20.0f : x); }
  HAST_PORTABLE HAST_INLINE float of(float x) const {
    const float e = exponential(x);
    const float n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
  }
  HAST_PORTABLE HAST_INLINE float slope(float x) const {
    const float e = exponential(x);
    const float n = e * (e + 2.0f);
    const float tanh = n / (n + 2.0f);
    // The second term is x (1 - tanh) (1 + tanh) sigmoid(x), 0 in single precision from 20 on.
    return x > 20.0f ? 1.0f : tanh + x * (2.0f / (n + 2.0f)) * (1.0f + tanh) * (e / (1.0f + e));
  }
};

// What body answers for the activation of that kind, HAST_EARGUMENT if there is none.
template <class Body>
int32_t with_activation(int32_t kind, const Activation& relu, const Body& body) {
  switch (kind) {
    case HAST_ACTIVATION_RELU:
      if (!valid::relu(relu.slope, relu.ceiling)) return HAST_EARGUMENT;
      return relu.bounded() ? body(Relu<true>{relu}) : body(Relu<false>{relu});
    case HAST_ACTIVATION_HARD_SIGMOID:
      return body(HardSigmoid{});
    case HAST_ACTIVATION_HARD_SWISH:
      return body(HardSwish{});
    case HAST_ACTIVATION_SIGMOID:
      return body(Sigmoid{});
    case HAST_ACTIVATION_SILU:
      return body(Silu{});
    case HAST_ACTIVATION_GELU:
      return body(Gelu{});
    case HAST_ACTIVATION_MISH:
      return body(Mish{});
    default:
      return HAST_EARGUMENT;
  }
}

}  // namespace hast

#endif

// A leaky ReLU with an upper bound and the mask of its gradient. Include it only in files that are compiled without
// contraction (EXACT_SOURCES of both libraries), as quantiser.h.
#ifndef HAST_ACTIVATION_H
#define HAST_ACTIVATION_H

#include "portable.h"

namespace hast {

struct Activation {
  float slope, ceiling;
  float highest;  // v whose gradient passes
};

// A finite bound needs slope 0: one mask tells the gradient of both ends.
inline bool is_activation(float slope, float ceiling) {
  return ceiling > 0.0f && (ceiling == __builtin_inff() || slope == 0.0f);
}

// Without a bound infinity passes too, so the mask asks for the last v below the ceiling and not for v < ceiling.
inline Activation activation(float slope, float ceiling) {
  return {slope, ceiling, ceiling == __builtin_inff() ? ceiling : __builtin_nextafterf(ceiling, 0.0f)};
}

HAST_PORTABLE HAST_INLINE bool passes(const Activation& activation, float v) {
  return (v > 0.0f) & (v <= activation.highest);
}

// The comparisons keep a NaN a NaN.
HAST_PORTABLE HAST_INLINE float activate(const Activation& activation, float v) {
  const float y = v > 0.0f ? v : activation.slope * v;
  return y > activation.ceiling ? activation.ceiling : y;
}

}  // namespace hast

#endif

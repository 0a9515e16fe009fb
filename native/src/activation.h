// A leaky ReLU, bounded above or not, and the mask of its gradient. Include it only in files that are compiled without
// contraction (EXACT_SOURCES of both libraries), as quantiser.h.
#ifndef HAST_ACTIVATION_H
#define HAST_ACTIVATION_H

#include "portable.h"

namespace hast {

struct Activation {
  float slope, ceiling;

  HAST_PORTABLE HAST_INLINE bool bounded() const { return ceiling < __builtin_inff(); }

  // A finite bound needs slope 0: one mask tells the gradient of both ends.
  bool valid() const { return ceiling > 0.0f && (!bounded() || slope == 0.0f); }
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

}  // namespace hast

#endif

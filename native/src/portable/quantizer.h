// The fake quantiser of one range, in exactly the operations that quantize.h writes. Include it only in files that are
// compiled without contraction (EXACT_SOURCES of both libraries), or they stop agreeing bit for bit.
#ifndef HAST_QUANTIZER_H
#define HAST_QUANTIZER_H

#include <cstdint>

#include "portable.h"

namespace hast {

struct Quantizer {
  float s, z, lowest, highest;

  // The level of a value before it is clamped.
  HAST_PORTABLE HAST_INLINE float level(float x) const { return __builtin_rintf(s * x - z); }
};

// The comparison keeps a NaN range NaN.
HAST_PORTABLE HAST_INLINE Quantizer quantizer(float a, float b, int32_t bits) {
  const float levels = static_cast<float>((1 << bits) - 1);
  const float half = static_cast<float>(1 << (bits - 1));
  const float width = b - a;
  const float s = levels / (width < 1e-8f ? 1e-8f : width);
  return {s, __builtin_rintf(s * a) + half, -half, half - 1.0f};
}

// The levels whose values the gradient passes: all of them, or those that are not clamped.
struct Passing {
  float lowest, highest;

  HAST_PORTABLE HAST_INLINE bool operator()(float level) const { return (level >= lowest) & (level <= highest); }
};

HAST_PORTABLE HAST_INLINE Passing passing(const Quantizer& quantizer, bool in_range) {
  return in_range ? Passing{quantizer.lowest, quantizer.highest} : Passing{-__builtin_inff(), __builtin_inff()};
}

HAST_PORTABLE HAST_INLINE float fake_quant(const Quantizer& quantizer, float x) {
  float q = quantizer.level(x);
  q = q < quantizer.lowest ? quantizer.lowest : q;
  q = q > quantizer.highest ? quantizer.highest : q;
  return (q + quantizer.z) / quantizer.s;
}

}  // namespace hast

#endif

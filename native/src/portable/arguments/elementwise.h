// The arguments of <hast/elementwise.h>.
#ifndef HAST_ARGUMENTS_ELEMENTWISE_H
#define HAST_ARGUMENTS_ELEMENTWISE_H

#include "arguments.h"

namespace hast::valid {

// A result [n] and what it is computed from, of the same shape.
template <class... Inputs>
bool elementwise(const void* stream, const float* y, int64_t n, const Inputs*... inputs) {
  return !any_null(stream, y, inputs...) && n >= 1;
}

// add, mul
inline bool combine(const float* y, const float* a, const float* b, int64_t n, int64_t hw, int64_t c,
                    const void* stream) {
  return !any_null(y, a, b, stream) && !any_below_one(n, hw, c);
}

// A finite ceiling needs slope 0: one mask tells the gradient of both ends.
inline bool relu(float slope, float ceiling) {
  return ceiling > 0.0f && (!(ceiling < __builtin_inff()) || slope == 0.0f);
}

inline bool prelu_fwd(const float* y, const float* x, const float* slope, int64_t rows, int64_t c, const void* stream) {
  return !any_null(y, x, slope, stream) && !any_below_one(rows, c);
}

inline bool prelu_bwd(const float* dx, const float* dy, const float* x, const float* slope, int64_t rows, int64_t c,
                      const void* stream) {
  return !any_null(dx, dy, x, slope, stream) && !any_below_one(rows, c);
}

inline bool counter_step(const int64_t* counter, const void* stream) { return !any_null(counter, stream); }

}  // namespace hast::valid

#endif

// The arguments of <hast/quantize.h>.
#ifndef HAST_ARGUMENTS_QUANTIZE_H
#define HAST_ARGUMENTS_QUANTIZE_H

#include "arguments.h"

namespace hast::valid {

inline bool bits(int32_t bits) { return bits >= 2 && bits <= 8; }

inline bool fake_quant_fwd(const float* y, const float* x, const float* range, int64_t n, int32_t bits,
                           const void* stream) {
  return !any_null(y, x, range, stream) && n >= 1 && valid::bits(bits);
}

inline bool fake_quant_bwd(const float* dx, const float* dy, const float* x, const float* range, int64_t n,
                           int32_t bits, const void* stream) {
  return !any_null(dx, dy, x, range, stream) && n >= 1 && valid::bits(bits);
}

inline bool fake_quant_channel(const float* y, const float* x, int64_t rows, int64_t cols, int32_t bits,
                               const void* stream) {
  return !any_null(y, x, stream) && !any_below_one(rows, cols) && valid::bits(bits);
}

inline bool min_max(const float* range, const float* x, int64_t n, const void* stream) {
  return !any_null(range, x, stream) && n >= 1;
}

inline bool range_track_step(const float* range, const float* state, const float* batch, int32_t rule,
                             const void* stream) {
  return !any_null(range, state, batch, stream) && (rule == 0 || rule == 1);
}

}  // namespace hast::valid

#endif

// The arguments of <hast/layer.h>.
#ifndef HAST_ARGUMENTS_LAYER_H
#define HAST_ARGUMENTS_LAYER_H

#include "../channels.h"
#include "../pooling.h"
#include "arguments.h"

namespace hast::valid {

// Any direction.
inline bool linear(const float* result, const float* left, const float* right, int64_t n, int64_t inputs,
                   int64_t outputs, const void* stream) {
  return !any_null(result, left, right, stream) && !any_below_one(n, inputs, outputs);
}

// [n, hw, c] to [n, c] or back: global_avg_pool, pixel_sum
inline bool global_pool(const float* result, const float* from, int64_t n, int64_t hw, int64_t c, const void* stream) {
  return !any_null(result, from, stream) && !any_below_one(n, hw, c);
}

inline bool avg_pool(const float* result, const float* from, const Pooling& pooling, const void* stream) {
  return !any_null(result, from, stream) && pooling.valid();
}

// The number of a window's cell is a byte.
inline bool max_pool(const float* result, const float* from, const uint8_t* index, const Pooling& pooling,
                     const void* stream) {
  return !any_null(result, from, index, stream) && pooling.valid() && pooling.r * pooling.s <= 256;
}

inline bool upsample(const float* result, const float* from, int64_t n, int64_t h, int64_t w, int64_t c,
                     const void* stream) {
  return !any_null(result, from, stream) && !any_below_one(n, h, w, c);
}

inline bool embedding(const float* result, const float* from, const float* noise, const int32_t* labels, int64_t n,
                      int64_t d, int64_t classes, const void* stream) {
  return !any_null(result, from, noise, labels, stream) && !any_below_one(n, d, classes);
}

inline bool shortcut(const float* result, const float* from, const Shortcut& shortcut, const void* stream) {
  return !any_null(result, from, stream) && shortcut.valid();
}

// slice, concat
inline bool channels(const float* result, const float* from, const ChannelRange& range, const void* stream) {
  return !any_null(result, from, stream) && range.valid();
}

inline bool transpose(const float* y, const float* x, int64_t n, int64_t rows, int64_t columns, const void* stream) {
  return !any_null(y, x, stream) && !any_below_one(n, rows, columns);
}

}  // namespace hast::valid

#endif

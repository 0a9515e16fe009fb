// A range of the channels, its adjoint, and its counterpart, one input's part of a concatenation.
//
//   y[row, i] = x[row, begin + i];  dx = dy in the range, 0 around it;  y[row, begin + i] = x[row, i]
//
// Shapes: [rows, c] and [rows, k].
// Rounding: none.
// Determinism: copies only.
// Bytes per element: 8 of the smaller tensor, and 4 per zero.
#include <hast/layer.h>

#include "kernel.h"
#include "portable/arguments/layer.h"

using namespace hast;

int32_t hast_slice_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  if (!valid::channels(y, x, {rows, c, k, begin}, stream)) return HAST_EARGUMENT;
  for_items(stream, rows, k, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) copy_floats(y + row * k, x + row * c + begin, k);
  });
  return HAST_OK;
}

int32_t hast_slice_bwd_f32(float* dx, const float* dy, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  if (!valid::channels(dx, dy, {rows, c, k, begin}, stream)) return HAST_EARGUMENT;
  for_items(stream, rows, c, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      float* to = dx + row * c;
      clear_floats(to, begin);
      copy_floats(to + begin, dy + row * k, k);
      clear_floats(to + begin + k, c - begin - k);
    }
  });
  return HAST_OK;
}

int32_t hast_concat_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                            void* stream) noexcept {
  if (!valid::channels(y, x, {rows, c, k, begin}, stream)) return HAST_EARGUMENT;
  for_items(stream, rows, k, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) copy_floats(y + row * c + begin, x + row * k, k);
  });
  return HAST_OK;
}

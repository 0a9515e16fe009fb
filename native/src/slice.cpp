// A range of the channels of [rows, c], its adjoint (zeros around it), and its counterpart, one input's part of a
// concatenation. Copies only; 8 bytes per element of the smaller tensor, and 4 per zero.
#include <hast/layer.h>

#include <cstring>

#include "kernel.h"

using namespace hast;

namespace {

// Channels [begin, begin + k) of c.
bool inside(int64_t c, int64_t k, int32_t begin) { return begin >= 0 && k <= c - begin; }

void copy(float* to, const float* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

void clear(float* to, int64_t count) { std::memset(to, 0, static_cast<size_t>(count) * sizeof(float)); }

}  // namespace

int32_t hast_slice_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  if (any_null(y, x, stream) || any_below_one(rows, c, k) || !inside(c, k, begin)) return HAST_EARGUMENT;
  for_items(stream, rows, k, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) copy(y + row * k, x + row * c + begin, k);
  });
  return HAST_OK;
}

int32_t hast_slice_bwd_f32(float* dx, const float* dy, int64_t rows, int64_t c, int64_t k, int32_t begin,
                           void* stream) noexcept {
  if (any_null(dx, dy, stream) || any_below_one(rows, c, k) || !inside(c, k, begin)) return HAST_EARGUMENT;
  for_items(stream, rows, c, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) {
      float* to = dx + row * c;
      clear(to, begin);
      copy(to + begin, dy + row * k, k);
      clear(to + begin + k, c - begin - k);
    }
  });
  return HAST_OK;
}

int32_t hast_concat_fwd_f32(float* y, const float* x, int64_t rows, int64_t c, int64_t k, int32_t begin,
                            void* stream) noexcept {
  if (any_null(y, x, stream) || any_below_one(rows, c, k) || !inside(c, k, begin)) return HAST_EARGUMENT;
  for_items(stream, rows, k, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; row++) copy(y + row * c + begin, x + row * k, k);
  });
  return HAST_OK;
}

// The conditional generator's input: y[n] = table[labels[n]] * noise[n], and the gradient of the table, summed over the
// samples in order. A label outside [0, classes) gives a NaN row forward and is left out backward.
#include <hast/layer.h>

#include <cmath>

#include "kernel.h"

using namespace hast;

int32_t hast_embedding_fwd_f32(float* y, const float* table, const float* noise, const int32_t* labels, int64_t n,
                               int64_t d, int64_t classes, void* stream) noexcept {
  if (any_null(y, table, noise, stream) || labels == nullptr || any_below_one(n, d, classes)) return HAST_EARGUMENT;
  for_items(stream, n, d, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const bool known = labels[row] >= 0 && labels[row] < classes;
      const float* embedding = known ? table + labels[row] * d : nullptr;
      for (int64_t i = 0; i < d; i++) y[row * d + i] = known ? embedding[i] * noise[row * d + i] : NAN;
    }
  });
  return HAST_OK;
}

int32_t hast_embedding_bwd_f32(float* dtable, const float* dy, const float* noise, const int32_t* labels, int64_t n,
                               int64_t d, int64_t classes, void* stream) noexcept {
  if (any_null(dtable, dy, noise, stream) || labels == nullptr || any_below_one(n, d, classes)) return HAST_EARGUMENT;
  for_items(stream, classes, n + d, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      float* out = dtable + k * d;
      for (int64_t i = 0; i < d; i++) out[i] = 0.0f;
      for (int64_t row = 0; row < n; row++) {
        if (labels[row] != k) continue;
        for (int64_t i = 0; i < d; i++) out[i] += dy[row * d + i] * noise[row * d + i];
      }
    }
  });
  return HAST_OK;
}

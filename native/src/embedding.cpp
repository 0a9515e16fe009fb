// The conditional generator's input, and the gradient of its table.
//
//   y[n] = table[labels[n]] * noise[n];  dtable[k] = sum over n with labels[n] = k of dy[n] * noise[n]
//
// Shapes: table [classes, d], noise and y [n, d].
// Rounding: in float32, contraction allowed.
// Determinism: samples are summed in order.
// Bytes per element: 12 forward; 8 of dy and 4 of dtable backward, and the labels once for each class.
//
// A label outside [0, classes) gives a NaN row forward and is left out backward.
#include <hast/layer.h>

#include <cmath>

#include "kernel.h"
#include "portable/arguments/layer.h"

using namespace hast;

int32_t hast_embedding_fwd_f32(float* y, const float* table, const float* noise, const int32_t* labels, int64_t n,
                               int64_t d, int64_t classes, void* stream) noexcept {
  if (!valid::embedding(y, table, noise, labels, n, d, classes, stream)) return HAST_EARGUMENT;
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
  if (!valid::embedding(dtable, dy, noise, labels, n, d, classes, stream)) return HAST_EARGUMENT;
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

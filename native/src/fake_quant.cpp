// Fake quantisation, its gradient, and the minimum and maximum of a tensor.
//
//   y = fake_quant(x);  dx = x is clamped ? 0 : dy    (quantize.h, portable/quantizer.h)
//
// Shapes: [n], and [rows, cols] with one range per row.
// Rounding: every operation on its own, half to even; NaN stays NaN, and a NaN among the values of a range makes the
// range NaN.
// Determinism: minimum and maximum do not depend on the order.
// Bytes per element: fake_quant 8, gradient 12; channel 8 (a row is read twice, the second time from the cache);
// min_max 4.
#include <hast/quantize.h>

#include "kernel.h"
#include "portable/arguments/quantize.h"
#include "portable/quantizer.h"

namespace hast {
namespace {

struct Range {
  float min, max;
};

// A NaN on either side wins.
HAST_INLINE float keep_min(float a, float b) { return b < a || b != b ? b : a; }
HAST_INLINE float keep_max(float a, float b) { return b > a || b != b ? b : a; }

HAST_INLINE Range range_of_inline(const float* x, int64_t n) {
  constexpr int64_t kLanes = 64;
  float low[kLanes], high[kLanes];
  int32_t nan[kLanes];
  for (int64_t k = 0; k < kLanes; k++) {
    low[k] = high[k] = x[0];
    nan[k] = 0;
  }
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t k = 0; k < kLanes; k++) {
      const float v = x[i + k];
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      nan[k] |= v != v;
    }
  }
  Range r{x[0], x[0]};
  for (int64_t k = 0; k < kLanes; k++) {
    r.min = keep_min(r.min, low[k]);
    r.max = keep_max(r.max, high[k]);
    if (nan[k] != 0) r.min = r.max = __builtin_nanf("");
  }
  for (; i < n; i++) {
    r.min = keep_min(r.min, x[i]);
    r.max = keep_max(r.max, x[i]);
  }
  return r;
}

HAST_CLONES void range_of(Range* range, const float* x, int64_t n) { *range = range_of_inline(x, n); }

HAST_INLINE void quantize_inline(float* y, const float* x, int64_t n, const Quantizer& q) {
  const Quantizer local = q;
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = fake_quant(local, x[i]);
}

HAST_CLONES void quantize(float* y, const float* x, int64_t n, float min, float max, int32_t bits) {
  quantize_inline(y, x, n, quantizer(min, max, bits));
}

HAST_CLONES void pass_range(float* dx, const float* dy, const float* x, int64_t n, float min, float max, int32_t bits) {
  const Quantizer q = quantizer(min, max, bits);
  const Passing levels = passing(q, true);
  HAST_INDEPENDENT
  for (int64_t i = 0; i < n; i++) dx[i] = levels(q.level(x[i])) ? dy[i] : 0.0f;
}

HAST_CLONES void quantize_rows(float* y, const float* x, int64_t rows, int64_t cols, int32_t bits) {
  for (int64_t row = 0; row < rows; row++) {
    const Range range = range_of_inline(x + row * cols, cols);
    quantize_inline(y + row * cols, x + row * cols, cols, quantizer(range.min, range.max, bits));
  }
}

constexpr int64_t kRangePieces = 256;

int64_t range_pieces(int64_t n) { return smaller(kRangePieces, ceil_div(n, kPieceElements)); }

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_fake_quant_fwd_f32(float* y, const float* x, const float* range, int64_t n, int32_t bits,
                                void* stream) noexcept {
  if (!valid::fake_quant_fwd(y, x, range, n, bits, stream)) return HAST_EARGUMENT;
  for_ranges(stream, n,
             [&](int64_t begin, int64_t length) { quantize(y + begin, x + begin, length, range[0], range[1], bits); });
  return HAST_OK;
}

int32_t hast_fake_quant_bwd_f32(float* dx, const float* dy, const float* x, const float* range, int64_t n, int32_t bits,
                                void* stream) noexcept {
  if (!valid::fake_quant_bwd(dx, dy, x, range, n, bits, stream)) return HAST_EARGUMENT;
  for_ranges(stream, n, [&](int64_t begin, int64_t length) {
    pass_range(dx + begin, dy + begin, x + begin, length, range[0], range[1], bits);
  });
  return HAST_OK;
}

int32_t hast_fake_quant_channel_fwd_f32(float* y, const float* x, int64_t rows, int64_t cols, int32_t bits,
                                        void* stream) noexcept {
  if (!valid::fake_quant_channel(y, x, rows, cols, bits, stream)) return HAST_EARGUMENT;
  for_items(stream, rows, cols, [&](int64_t begin, int64_t end) {
    quantize_rows(y + begin * cols, x + begin * cols, end - begin, cols, bits);
  });
  return HAST_OK;
}

int64_t hast_min_max_workspace_bytes(int64_t n) noexcept {
  if (n < 1) return 0;
  return bytes_of<Range>(range_pieces(n));
}

int32_t hast_min_max_fwd_f32(float* range, const float* x, void* workspace, int64_t workspace_bytes, int64_t n,
                             void* stream) noexcept {
  if (!valid::min_max(range, x, n, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_min_max_workspace_bytes(n))) return HAST_EWORKSPACE;
  Range* ranges = static_cast<Range*>(workspace);
  const int64_t length = ceil_div(n, range_pieces(n));
  const int64_t pieces = ceil_div(n, length);
  parallel_for(stream, pieces, [&](int64_t piece) {
    range_of(&ranges[piece], x + piece * length, smaller(length, n - piece * length));
  });
  Range all = ranges[0];
  for (int64_t piece = 1; piece < pieces; piece++) {
    all.min = keep_min(all.min, ranges[piece].min);
    all.max = keep_max(all.max, ranges[piece].max);
  }
  range[0] = all.min;
  range[1] = all.max;
  return HAST_OK;
}

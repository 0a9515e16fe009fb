// PReLU, a slope for each channel, and its gradients.
//
//   y = x > 0 ? x : slope_c x
//   dx = dy (x > 0 ? 1 : slope_c);  dslope_c = sum over the rows of x > 0 ? 0 : dy x
//
// Shapes: x [rows, c], slope [c].
// Rounding: dslope in float32 within a block, in double across blocks and pieces.
// Determinism: pieces are cut by the sizes alone and combined in order.
// Bytes per element: 8 forward, 12 backward.
#include <hast/elementwise.h>

#include "panel.h"
#include "portable/arguments/elementwise.h"

namespace hast {
namespace {

HAST_CLONES void activate_rows(float* y, const float* x, const float* slope, int64_t rows, int64_t c) {
  for (int64_t row = 0; row < rows; row++) {
    const float* from = x + row * c;
    float* to = y + row * c;
    HAST_INDEPENDENT
    for (int64_t i = 0; i < c; i++) to[i] = from[i] > 0.0f ? from[i] : slope[i] * from[i];
  }
}

struct Backward {
  float* dx;
  const float *dy, *x, *slope;
  double* partial;  // [pieces, c]
  Split s;
  int64_t c;
};

template <bool kSum>
HAST_CLONES void gradient_piece(const Backward& job, int64_t piece) {
  alignas(64) float slopes[kPitch];
  alignas(64) float sums[kPitch];
  alignas(64) double all[kPitch];
  const Part at = part(job.s, piece);
  for (int64_t tile = 0; tile < panels(job.c); tile++) {
    const Panel p = panel(job.c, tile);
    for (int64_t i = 0; i < p.width; i++) {
      slopes[i] = job.slope[p.first + i];
      all[i] = 0.0;
    }
    repeat(slopes, p);
    for (int64_t row = 0; row < at.rows; row += p.fold_rows) {
      const int64_t rows = smaller(p.fold_rows, at.rows - row);
      if constexpr (kSum) clear(sums, p);
      for (int64_t g = 0; g < groups(p, rows); g++) {
        const Group in = group(p, rows, g);
        const int64_t start = (at.first_row + row) * job.c + p.first + in.offset;
        // dx may be dy or x, element by element.
        float* dx = job.dx + start;
        const float *dy = job.dy + start, *x = job.x + start;
        HAST_INDEPENDENT
        for (int64_t i = 0; i < in.length; i++) {
          const float gradient = dy[i], value = x[i];
          dx[i] = value > 0.0f ? gradient : slopes[i] * gradient;
          if constexpr (kSum) sums[i] += value > 0.0f ? 0.0f : gradient * value;
        }
      }
      if constexpr (kSum) fold(all, sums, p);
    }
    if constexpr (kSum) {
      for (int64_t i = 0; i < p.width; i++) job.partial[piece * job.c + p.first + i] = all[i];
    }
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_prelu_fwd_f32(float* y, const float* x, const float* slope, int64_t rows, int64_t c,
                           void* stream) noexcept {
  if (!valid::prelu_fwd(y, x, slope, rows, c, stream)) return HAST_EARGUMENT;
  for_items(stream, rows, c,
            [&](int64_t begin, int64_t end) { activate_rows(y + begin * c, x + begin * c, slope, end - begin, c); });
  return HAST_OK;
}

int64_t hast_prelu_bwd_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return bytes_of<double>(split_rows(rows, c).pieces * c);
}

int32_t hast_prelu_bwd_f32(float* dx, float* dslope, const float* dy, const float* x, const float* slope,
                           void* workspace, int64_t workspace_bytes, int64_t rows, int64_t c, void* stream) noexcept {
  if (!valid::prelu_bwd(dx, dy, x, slope, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_prelu_bwd_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Backward job{dx, dy, x, slope, static_cast<double*>(workspace), split_rows(rows, c), c};
  const auto run = dslope != nullptr ? gradient_piece<true> : gradient_piece<false>;
  parallel_for(stream, job.s.pieces, [&](int64_t piece) { run(job, piece); });
  if (dslope != nullptr) sum_pieces(dslope, job.partial, job.s, c);
  return HAST_OK;
}

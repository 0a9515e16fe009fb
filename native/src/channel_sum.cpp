// Sums of channels: the gradient of a bias.
//
//   y_c = sum over the rows of x
//
// Shapes: x [rows, c], y [c].
// Rounding: float32 within a block, double across blocks and pieces.
// Determinism: pieces are cut by the sizes alone and combined in order.
// Bytes per element: 4.
#include <hast/norm.h>

#include "panel.h"
#include "portable/arguments/norm.h"

namespace hast {
namespace {

HAST_CLONES void sum_of_piece(double* partial, const float* x, const Split& s, int64_t c, int64_t piece) {
  alignas(64) float sums[kPitch];
  alignas(64) double all[kPitch];
  const Part at = part(s, piece);
  for (int64_t tile = 0; tile < panels(c); tile++) {
    const Panel p = panel(c, tile);
    for (int64_t i = 0; i < p.width; i++) all[i] = 0.0;
    for (int64_t row = 0; row < at.rows; row += p.fold_rows) {
      const int64_t rows = smaller(p.fold_rows, at.rows - row);
      clear(sums, p);
      for (int64_t g = 0; g < groups(p, rows); g++) {
        const Group in = group(p, rows, g);
        const float* from = x + (at.first_row + row) * c + p.first + in.offset;
        HAST_INDEPENDENT
        for (int64_t i = 0; i < in.length; i++) sums[i] += from[i];
      }
      fold(all, sums, p);
    }
    for (int64_t i = 0; i < p.width; i++) partial[piece * c + p.first + i] = all[i];
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int64_t hast_channel_sum_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return bytes_of<double>(split_rows(rows, c).pieces * c);
}

int32_t hast_channel_sum_fwd_f32(float* y, const float* x, void* workspace, int64_t workspace_bytes, int64_t rows,
                                 int64_t c, void* stream) noexcept {
  if (!valid::channel_sum(y, x, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_channel_sum_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Split s = split_rows(rows, c);
  double* partial = static_cast<double*>(workspace);
  parallel_for(stream, s.pieces, [&](int64_t piece) { sum_of_piece(partial, x, s, c, piece); });
  sum_pieces(y, partial, s, c);
  return HAST_OK;
}

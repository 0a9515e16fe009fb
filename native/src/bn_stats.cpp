// Batch statistics, their loss, and the running averages.
//
//   mean_c = sum x / rows,  variance_c = sum (x - mean)² / rows    (norm.h has the loss and the averages)
//
// Shapes: x [rows, c], statistics [c].
// Rounding: float32 within a block, centred about its mean; blocks and pieces combined by Chan's formula in double.
// Determinism: pieces are cut by the sizes alone and combined in order.
// Bytes per element: 4, once: blocks that fit the L1 cache are read twice.
#include <hast/norm.h>

#include "panel.h"
#include "portable/arguments/norm.h"

namespace hast {
namespace {

HAST_CLONES void moments_of_piece(double* partial, const float* x, const Split& s, int64_t c, int64_t piece) {
  const Part at = part(s, piece);
  Moments moments;
  for (int64_t tile = 0; tile < panels(c); tile++) {
    const Panel p = panel(c, tile);
    moments.count = 0.0;
    for (int64_t i = 0; i < p.width; i++) moments.mean[i] = moments.squares[i] = 0.0;
    for (int64_t row = 0; row < at.rows; row += p.block_rows) {
      const float* block = x + (at.first_row + row) * c + p.first;
      add_block(moments, block, block + p.block_rows * c, p, smaller(p.block_rows, at.rows - row));
    }
    double* out = partial + piece * 2 * c + p.first;
    for (int64_t i = 0; i < p.width; i++) {
      out[i] = moments.mean[i];
      out[c + i] = moments.squares[i];
    }
  }
}

constexpr int64_t kChannels = 64;

HAST_CLONES void combine_channels(float* mean, float* variance, const double* partial, int64_t step, const Split& s,
                                  int64_t c, int64_t first, int64_t width) {
  double all_mean[kChannels] = {};
  double all_squares[kChannels] = {};
  double count = 0.0;
  for (int64_t piece = 0; piece < s.pieces; piece++) {
    const double* other = partial + piece * step + first;
    combine(count, all_mean, all_squares, part_count(s, piece), other, other + c, width);
  }
  for (int64_t i = 0; i < width; i++) {
    mean[first + i] = static_cast<float>(all_mean[i]);
    variance[first + i] = static_cast<float>(all_squares[i] / count);
  }
}

}  // namespace

void combine_moments(float* mean, float* variance, const double* partial, int64_t step, const Split& s, int64_t c,
                     void* stream) {
  parallel_for(stream, ceil_div(c, kChannels), [&](int64_t index) {
    const int64_t first = index * kChannels;
    combine_channels(mean, variance, partial, step, s, c, first, smaller(kChannels, c - first));
  });
}

}  // namespace hast

using namespace hast;

int64_t hast_bn_stats_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return bytes_of<double>(split_rows(rows, c).pieces * 2 * c);
}

int32_t hast_bn_stats_fwd_f32(float* mean, float* variance, const float* x, void* workspace, int64_t workspace_bytes,
                              int64_t rows, int64_t c, void* stream) noexcept {
  if (!valid::bn_stats(mean, variance, x, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_bn_stats_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Split s = split_rows(rows, c);
  double* partial = static_cast<double*>(workspace);
  parallel_for(stream, s.pieces, [&](int64_t piece) { moments_of_piece(partial, x, s, c, piece); });
  combine_moments(mean, variance, partial, 2 * c, s, c, stream);
  return HAST_OK;
}

int32_t hast_bn_running_step_f32(float* running_mean, float* running_variance, const float* mean, const float* variance,
                                 int64_t rows, int64_t c, float momentum, void* stream) noexcept {
  if (!valid::bn_running_step(running_mean, running_variance, mean, variance, rows, c, stream)) return HAST_EARGUMENT;
  const float unbiased = static_cast<float>(static_cast<double>(rows) / static_cast<double>(rows - 1));
  for (int64_t i = 0; i < c; i++) {
    running_mean[i] = (1.0f - momentum) * running_mean[i] + momentum * mean[i];
    running_variance[i] = (1.0f - momentum) * running_variance[i] + momentum * (variance[i] * unbiased);
  }
  return HAST_OK;
}

int32_t hast_bn_stats_loss_fwd_f32(float* loss, float* stat_grad, const float* mean, const float* variance,
                                   const float* running_mean, const float* running_variance, int64_t rows, int64_t c,
                                   float weight, int32_t accumulate, void* stream) noexcept {
  if (!valid::bn_stats_loss(loss, stat_grad, mean, variance, running_mean, running_variance, rows, c, stream))
    return HAST_EARGUMENT;
  const double share = static_cast<double>(weight) / static_cast<double>(c);
  const double per_row = share / static_cast<double>(rows);
  double sum = 0.0;
  for (int64_t i = 0; i < c; i++) {
    const double d = static_cast<double>(mean[i]) - static_cast<double>(running_mean[i]);
    const double e = static_cast<double>(variance[i]) - static_cast<double>(running_variance[i]);
    sum += d * d + e * e;
    stat_grad[i] = static_cast<float>(2.0 * per_row * d);
    stat_grad[c + i] = static_cast<float>(4.0 * per_row * e);
  }
  const double before = accumulate != 0 ? static_cast<double>(*loss) : 0.0;
  *loss = static_cast<float>(before + share * sum);
  return HAST_OK;
}

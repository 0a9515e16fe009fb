// Batch statistics, their loss, and the running averages.
//
// mean_c = sum x / rows, variance_c = sum (x - mean)² / rows over the rows of [rows, c]. panel.cuh has the division of
// work and the order of sums. The variance is centred in one pass over memory: relative to row 0, a thread takes kRows
// rows in two passes over registers and adds them by Chan's formula; blocks are combined around their common mean.
// Deterministic; one launch; 4 bytes read per element. The loss and the running averages touch [c] only; the loss's sum
// is in double.
#include <hast/norm.h>

#include "panel.cuh"
#include "portable/arguments/norm.h"

using namespace hast;

namespace {

constexpr int kRows = 4;  // that a thread loads before it uses the first

struct Statistics {
  float *mean, *variance, *partial;
  const float* x;
  unsigned* tickets;
  Split split;
};

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) statistics(const Statistics job) {
  using Floats = Pack<float, kWidth>;
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  const float* x = job.x + (p.first_row + at.line) * s.c + at.channel;
  const int64_t step = s.lines * s.c;
  const int last = at.inside ? p.rows : 0;
  Floats origin{};  // row 0
  if (at.inside) origin = load<kWidth>(job.x + at.channel);
  Moments<kWidth> moments{};
  for (int row = at.line; row < last; row += kRows * s.lines, x += kRows * step) {
    Floats values[kRows];
    int rows = 0;
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      values[r] = Floats{};
      if (row + r * s.lines < last) values[r] = load<kWidth>(x + r * step);
      rows += row + r * s.lines < last ? 1 : 0;
    }
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int k = 0; k < kWidth; k++) values[r][k] -= origin[k];
    }
    add_rows(moments, values, rows);
  }
  finish_moments(job.mean, job.variance, job.partial, origin, moments, s, at, job.tickets);
}

__global__ void running_step(float* running_mean, float* running_variance, const float* mean, const float* variance,
                             int64_t c, float momentum, float unbiased) {
  for (int64_t i = first_item(); i < c; i += item_step()) {
    running_mean[i] = (1.0f - momentum) * running_mean[i] + momentum * mean[i];
    running_variance[i] = (1.0f - momentum) * running_variance[i] + momentum * (variance[i] * unbiased);
  }
}

// One block.
__global__ void statistics_loss(float* loss, float* stat_grad, const float* mean, const float* variance,
                                const float* running_mean, const float* running_variance, int64_t c, double share,
                                double per_row, bool accumulate) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < c; i += kThreads) {
    const double d = static_cast<double>(mean[i]) - static_cast<double>(running_mean[i]);
    const double e = static_cast<double>(variance[i]) - static_cast<double>(running_variance[i]);
    sum += d * d + e * e;
    stat_grad[i] = static_cast<float>(2.0 * per_row * d);
    stat_grad[c + i] = static_cast<float>(4.0 * per_row * e);
  }
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  const double before = accumulate ? static_cast<double>(*loss) : 0.0;
  *loss = static_cast<float>(before + share * sum);
}

}  // namespace

int64_t hast_bn_stats_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return most_pieces(rows, c) * 2 * c * static_cast<int64_t>(sizeof(float));
}

int32_t hast_bn_stats_fwd_f32(float* mean, float* variance, const float* x, void* workspace, int64_t workspace_bytes,
                              int64_t rows, int64_t c, void* stream) noexcept {
  if (!valid::bn_stats(mean, variance, x, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_bn_stats_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide = c % 4 == 0 && aligned16(mean, variance, x, workspace);
  const Statistics job{mean, variance,   static_cast<float*>(workspace),
                       x,    to.tickets, split(1, rows, c, wide ? 4 : 1, to)};
  return wide ? launch_tiles(statistics<4>, job, to) : launch_tiles(statistics<1>, job, to);
}

int32_t hast_bn_running_step_f32(float* running_mean, float* running_variance, const float* mean, const float* variance,
                                 int64_t rows, int64_t c, float momentum, void* stream) noexcept {
  if (!valid::bn_running_step(running_mean, running_variance, mean, variance, rows, c, stream)) return HAST_EARGUMENT;
  const float unbiased = static_cast<float>(static_cast<double>(rows) / static_cast<double>(rows - 1));
  const Stream& to = stream_of(stream);
  return launch(running_step, blocks_for(c, to), kThreads, 0, to, running_mean, running_variance, mean, variance, c,
                momentum, unbiased);
}

int32_t hast_bn_stats_loss_fwd_f32(float* loss, float* stat_grad, const float* mean, const float* variance,
                                   const float* running_mean, const float* running_variance, int64_t rows, int64_t c,
                                   float weight, int32_t accumulate, void* stream) noexcept {
  if (!valid::bn_stats_loss(loss, stat_grad, mean, variance, running_mean, running_variance, rows, c, stream))
    return HAST_EARGUMENT;
  const double share = static_cast<double>(weight) / static_cast<double>(c);
  const double per_row = share / static_cast<double>(rows);
  return launch(statistics_loss, 1, kThreads, 0, stream_of(stream), loss, stat_grad, mean, variance, running_mean,
                running_variance, c, share, per_row, accumulate != 0);
}

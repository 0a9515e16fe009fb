// y_c = sum over the rows of [rows, c]: the gradient of a bias.
//
// panel.cuh has the division of work and the order of sums: float32 within a block, double over its threads where
// blocks are added. Deterministic; one launch; 4 bytes read per element.
#include <hast/norm.h>

#include "panel.cuh"
#include "portable/arguments/norm.h"

using namespace hast;

namespace {

constexpr int kRows = 4;  // that a thread loads before it uses the first

struct Sum {
  float *y, *partial;  // partial [pieces, c]
  const float* x;
  unsigned* tickets;
  Split split;
};

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) channel_sum(const Sum job) {
  using Floats = Pack<float, kWidth>;
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  const float* x = job.x + (p.first_row + at.line) * s.c + at.channel;
  const int64_t step = s.lines * s.c;
  const int last = at.inside ? p.rows : 0;
  Floats sum{};
  for (int row = at.line; row < last; row += kRows * s.lines, x += kRows * step) {
    Floats values[kRows];
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      values[r] = Floats{};
      if (row + r * s.lines < last) values[r] = load<kWidth>(x + r * step);
    }
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int k = 0; k < kWidth; k++) sum[k] += values[r][k];
    }
  }
  sum = sum_lines(sum, s.lanes);
  float* partial = job.partial + at.channel;
  if (at.inside && at.line == 0) store(partial + at.piece * s.c, sum);
  if (!last_block(job.tickets + at.tile, static_cast<unsigned>(s.pieces))) return;
  const Pack<double, kWidth> total =
      sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) { return load<kWidth>(partial + piece * s.c); });
  if (at.inside && at.line == 0) store(job.y + at.channel, rounded(total));
}

}  // namespace

int64_t hast_channel_sum_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return most_pieces(rows, c) * c * static_cast<int64_t>(sizeof(float));
}

int32_t hast_channel_sum_fwd_f32(float* y, const float* x, void* workspace, int64_t workspace_bytes, int64_t rows,
                                 int64_t c, void* stream) noexcept {
  if (!valid::channel_sum(y, x, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_channel_sum_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide = c % 4 == 0 && aligned16(y, x, workspace);
  const Sum job{y, static_cast<float*>(workspace), x, to.tickets, split(1, rows, c, wide ? 4 : 1, to)};
  return wide ? launch_tiles(channel_sum<4>, job, to) : launch_tiles(channel_sum<1>, job, to);
}

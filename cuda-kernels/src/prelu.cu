// y = x > 0 ? x : slope_c * x, a slope for each channel; dx = dy * (x > 0 ? 1 : slope_c), dslope_c = the sum over rows
// of dy * x where x is not above 0. Shapes [rows, c].
//
// Forward: a thread takes a pack of channels of a row, 16 bytes where c allows. Backward: panel.cuh has the division of
// work and the order of sums, float32 within a block, double over its threads where blocks are added; one launch.
// Deterministic. Bytes per element: 8 forward, 12 backward.
#include <hast/elementwise.h>

#include "panel.cuh"
#include "portable/arguments/elementwise.h"
#include "rows.cuh"

using namespace hast;

namespace {

constexpr int kRows = 2;  // that a thread loads before it uses the first

// y may be x: an element is read before it is written, by the same thread.
template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    activate(Floats<kWidth>* y, const Floats<kWidth>* x, const Floats<kWidth>* __restrict__ slope, int64_t rows,
             int64_t columns) {
  for (int64_t row = first_row(); row < rows; row += row_step()) {
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      const Floats<kWidth> factor = slope[i];
      Floats<kWidth> value = x[row * columns + i];
      for (int k = 0; k < kWidth; k++) value[k] = value[k] > 0.0f ? value[k] : factor[k] * value[k];
      y[row * columns + i] = value;
    }
  }
}

struct Backward {
  float *dx, *dslope, *partial;  // partial [pieces, c]
  const float *dy, *x, *slope;
  unsigned* tickets;
  Split split;
};

// dx may be dy or x: these rows of them are read before they are written.
template <int kWidth, bool kSum>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) gradient(const Backward job) {
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  int64_t start = (p.first_row + at.line) * s.c + at.channel;
  const int64_t step = s.lines * s.c;
  const int last = at.inside ? p.rows : 0;
  Floats<kWidth> slope{}, sum{};
  if (at.inside) slope = load<kWidth>(job.slope + at.channel);
  for (int row = at.line; row < last; row += kRows * s.lines, start += kRows * step) {
    Floats<kWidth> dy[kRows], x[kRows];
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      dy[r] = x[r] = Floats<kWidth>{};
      if (row + r * s.lines < last) {
        dy[r] = load<kWidth>(job.dy + start + r * step);
        x[r] = load<kWidth>(job.x + start + r * step);
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; r++) {
#pragma unroll
      for (int k = 0; k < kWidth; k++) {
        const bool positive = x[r][k] > 0.0f;
        if constexpr (kSum) sum[k] += positive ? 0.0f : dy[r][k] * x[r][k];
        dy[r][k] = positive ? dy[r][k] : slope[k] * dy[r][k];
      }
      if (row + r * s.lines < last) store(job.dx + start + r * step, dy[r]);
    }
  }
  if constexpr (kSum) {
    sum = sum_lines(sum, s.lanes);
    float* partial = job.partial + at.channel;
    if (at.inside && at.line == 0) store(partial + at.piece * s.c, sum);
    if (!last_block(job.tickets + at.tile, static_cast<unsigned>(s.pieces))) return;
    const Pack<double, kWidth> total =
        sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) { return load<kWidth>(partial + piece * s.c); });
    if (at.inside && at.line == 0) store(job.dslope + at.channel, rounded(total));
  }
}

template <int kWidth>
int32_t launch_activate(float* y, const float* x, const float* slope, int64_t rows, int64_t c, const Stream& stream) {
  const Shape shape = rows_shape(rows, c / kWidth, stream);
  return launch(activate<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(y), packs<kWidth>(x),
                packs<kWidth>(slope), rows, c / kWidth);
}

template <int kWidth>
int32_t launch_gradient(const Backward& job, const Stream& stream) {
  return job.dslope != nullptr ? launch_tiles(gradient<kWidth, true>, job, stream)
                               : launch_tiles(gradient<kWidth, false>, job, stream);
}

}  // namespace

int32_t hast_prelu_fwd_f32(float* y, const float* x, const float* slope, int64_t rows, int64_t c,
                           void* stream) noexcept {
  if (!valid::prelu_fwd(y, x, slope, rows, c, stream)) return HAST_EARGUMENT;
  const auto launches = c % 4 == 0 && aligned16(y, x, slope) ? launch_activate<4> : launch_activate<1>;
  return launches(y, x, slope, rows, c, stream_of(stream));
}

int64_t hast_prelu_bwd_workspace_bytes(int64_t rows, int64_t c) noexcept {
  if (any_below_one(rows, c)) return 0;
  return most_pieces(rows, c) * c * static_cast<int64_t>(sizeof(float));
}

int32_t hast_prelu_bwd_f32(float* dx, float* dslope, const float* dy, const float* x, const float* slope,
                           void* workspace, int64_t workspace_bytes, int64_t rows, int64_t c, void* stream) noexcept {
  if (!valid::prelu_bwd(dx, dy, x, slope, rows, c, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_prelu_bwd_workspace_bytes(rows, c))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide = c % 4 == 0 && aligned16(dx, dslope, dy, x, slope, workspace);
  const Backward job{dx,    dslope,     static_cast<float*>(workspace),     dy, x,
                     slope, to.tickets, split(1, rows, c, wide ? 4 : 1, to)};
  return wide ? launch_gradient<4>(job, to) : launch_gradient<1>(job, to);
}

// Batch normalisation fused with the residual add, the activation, fake quantisation and three by-products.
//
//   f = (u - mean) * (gamma / sqrt(variance + epsilon)) + beta,  v = f + residual,  mask = 0 < v < ceiling, and in
//   range y = fake_quant(min(v > 0 ? v : slope * v, ceiling)),  attention[n, c] = mean_hw f²,  batch moments of u
//
// Shapes [n, hw, c]. Every operation is rounded on its own (no contraction) and fake_quant follows quantizer.h, so y
// and mask agree bit for bit with the other libraries. One launch, one pass over memory; panel.cuh has the division of
// work and the order of sums; moments as in bn_stats.cu, relative to the given mean, which is at hand and usually near.
// Deterministic. Bytes per element: 8, +4 residual, +1 mask.
//
// The moments and the attention are compiled in, for their registers; the rest is a branch that all threads agree on.
#include <hast/norm.h>

#include "panel.cuh"
#include "portable/activation.h"
#include "portable/arguments/norm.h"
#include "portable/quantizer.h"

using namespace hast;

namespace {

constexpr int kRows = 2;  // that a thread loads before it uses the first

struct Forward {
  float* y;
  uint8_t* mask;
  float *batch_mean, *batch_variance, *attention;
  const float *u, *residual, *gamma, *beta, *mean, *variance, *range;
  float *moments_partial, *attention_partial;  // [pieces, 2, c], [pieces, c]
  unsigned* tickets;
  Split split;
  Activation activation;
  float epsilon;
  int32_t bits;
  bool in_range;
};

template <int kWidth, bool kMoments, bool kAttention>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) forward(const Forward job) {
  using Floats = Pack<float, kWidth>;
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  const int last = at.inside ? p.rows : 0;
  const int64_t step = s.lines * s.c;
  const Activation activation = job.activation;
  const bool bounded = activation.bounded();

  Floats mean{}, scale{}, beta{};
  if (at.inside) {
    mean = load<kWidth>(job.mean + at.channel);
    scale = load<kWidth>(job.variance + at.channel);
    beta = load_or<kWidth>(job.beta, at.channel, 0.0f);
    const Floats gamma = load_or<kWidth>(job.gamma, at.channel, 1.0f);
#pragma unroll
    for (int k = 0; k < kWidth; k++) scale[k] = gamma[k] / sqrtf(scale[k] + job.epsilon);
  }
  Quantizer quantize{};
  if (job.range != nullptr) quantize = quantizer(job.range[0], job.range[1], job.bits);
  const Passing levels = passing(quantize, job.in_range);

  Moments<kWidth> moments{};
  for (int64_t image = p.first_image; image < p.last_image; image++) {
    int64_t start = (image * s.hw + p.first_row + at.line) * s.c + at.channel;
    Floats squares{};
    for (int row = at.line; row < last; row += kRows * s.lines, start += kRows * step) {
      Floats u[kRows], residual[kRows];
      int rows = 0;
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        u[r] = Floats{};
        if (row + r * s.lines < last) u[r] = load<kWidth>(job.u + start + r * step);
        rows += row + r * s.lines < last ? 1 : 0;
      }
      // y may be the residual: these rows of it are read before they are written.
      if (job.residual != nullptr) {
#pragma unroll
        for (int r = 0; r < kRows; r++) {
          if (r < rows) residual[r] = load<kWidth>(job.residual + start + r * step);
        }
      }
#pragma unroll
      for (int r = 0; r < kRows; r++) {
#pragma unroll
        for (int k = 0; k < kWidth; k++) u[r][k] -= mean[k];
      }
      if constexpr (kMoments) add_rows(moments, u, rows);
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        if (r >= rows) break;
        const int64_t element = start + r * step;
        Floats v;
#pragma unroll
        for (int k = 0; k < kWidth; k++) {
          v[k] = u[r][k] * scale[k] + beta[k];
          if constexpr (kAttention) squares[k] += v[k] * v[k];
        }
        if (job.residual != nullptr) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) v[k] += residual[r][k];
        }
        Pack<uint8_t, kWidth> mask;
#pragma unroll
        for (int k = 0; k < kWidth; k++) {
          mask[k] = passes(activation, bounded, v[k]) ? 1 : 0;
          v[k] = activate(activation, bounded, v[k]);
        }
        if (job.mask != nullptr) {
          if (job.range != nullptr) {
#pragma unroll
            for (int k = 0; k < kWidth; k++) mask[k] = levels(quantize.level(v[k])) ? mask[k] : 0;
          }
          store(job.mask + element, mask);
        }
        if (job.range != nullptr) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) v[k] = fake_quant(quantize, v[k]);
        }
        store(job.y + element, v);
      }
    }
    if constexpr (kAttention) {
      squares = sum_lines(squares, s.lanes);
      if (at.inside && at.line == 0) {
        if (s.segments == 1) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) squares[k] /= static_cast<float>(s.hw);
          store(job.attention + image * s.c + at.channel, squares);
        } else {
          store(job.attention_partial + at.piece * s.c + at.channel, squares);
        }
      }
    }
  }
  if constexpr (kAttention) {
    // The block that finishes an image last adds its segments.
    const int64_t image = p.first_image;
    if (s.segments > 1 && last_block(job.tickets + kLaunchTiles + image * s.tiles + at.tile, s.segments)) {
      const int first = at.piece - at.piece % s.segments;
      Pack<double, kWidth> sum = sum_pieces<kWidth>(s, at, first, first + s.segments, [&](int piece) {
        return load<kWidth>(job.attention_partial + piece * s.c + at.channel);
      });
#pragma unroll
      for (int k = 0; k < kWidth; k++) sum[k] /= static_cast<double>(s.hw);
      if (at.inside && at.line == 0) store(job.attention + image * s.c + at.channel, rounded(sum));
    }
  }
  if constexpr (kMoments) {
    finish_moments(job.batch_mean, job.batch_variance, job.moments_partial, mean, moments, s, at, job.tickets);
  }
}

template <int kWidth>
int32_t run(const Forward& job, const Stream& stream) {
  const bool moments = job.batch_mean != nullptr;
  if (job.attention != nullptr) {
    return moments ? launch_tiles(forward<kWidth, true, true>, job, stream)
                   : launch_tiles(forward<kWidth, false, true>, job, stream);
  }
  return moments ? launch_tiles(forward<kWidth, true, false>, job, stream)
                 : launch_tiles(forward<kWidth, false, false>, job, stream);
}

}  // namespace

int64_t hast_bn_act_fwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) noexcept {
  if (any_below_one(n, hw, c)) return 0;
  return most_pieces(n * hw, c) * 3 * c * static_cast<int64_t>(sizeof(float));
}

int32_t hast_bn_act_fwd_f32(float* y, uint8_t* mask, float* batch_mean, float* batch_variance, float* attention,
                            const float* u, const float* residual, const float* gamma, const float* beta,
                            const float* mean, const float* variance, const float* range, void* workspace,
                            int64_t workspace_bytes, int64_t n, int64_t hw, int64_t c, float epsilon, float slope,
                            float ceiling, int32_t bits, int32_t in_range, void* stream) noexcept {
  if (!valid::bn_act_fwd(y, batch_mean, batch_variance, u, mean, variance, range, n, hw, c, epsilon, slope, ceiling,
                         bits, in_range, stream)) {
    return HAST_EARGUMENT;
  }
  const Activation activation{slope, ceiling};
  if (lacks(workspace, workspace_bytes, hast_bn_act_fwd_workspace_bytes(n, hw, c))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide =
      c % 4 == 0 && aligned4(mask) &&
      aligned16(y, batch_mean, batch_variance, attention, u, residual, gamma, beta, mean, variance, workspace);
  // Attention is the only per-image quantity: without it the images are one long matrix.
  const int width = wide ? 4 : 1;
  const Split s = attention != nullptr ? split(n, hw, c, width, to) : split(1, n * hw, c, width, to);
  float* partial = static_cast<float*>(workspace);
  const Forward job{y,          mask,
                    batch_mean, batch_variance,
                    attention,  u,
                    residual,   gamma,
                    beta,       mean,
                    variance,   range,
                    partial,    partial + s.pieces * 2 * c,
                    to.tickets, s,
                    activation, epsilon,
                    bits,       in_range != 0};
  return wide ? run<4>(job, to) : run<1>(job, to);
}

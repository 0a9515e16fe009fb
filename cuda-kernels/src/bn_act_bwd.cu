// Adjoint of bn_act_fwd, through the straight-through quantiser.
//
//   dv = dy * (mask ? 1 : slope);  dresidual = dv;  df = dv + f * attention_grad[n, c]
//   dgamma = sum df * xhat;  dbeta = sum df;  xhat = (u - mean) / sqrt(variance + epsilon)
//   du = df * scale, minus in training its projection on 1 and xhat; plus the gradient of the statistics
//
// Both corrections are affine in u, so they share one form: du = df * scale + shift[c] + slant[c] * (u - mean).
// Shapes [n, hw, c]. Evaluation is one launch and one pass over memory; training is two (the sums must be known first:
// the block that finishes them leaves shift and slant in the workspace). panel.cuh has the division of work and the
// order of sums. Deterministic. Bytes per element and pass: 4 dy, +1 mask, +4 u where a sum, attention or correction
// needs it, 4 du, +4 dresidual.
//
// The sums and the outputs are compiled in, for their registers; the rest is a branch that all threads agree on.
#include <hast/norm.h>

#include "panel.cuh"
#include "portable/arguments/norm.h"

using namespace hast;

namespace {

constexpr int kRows = 2;  // that a thread loads before it uses the first

struct Backward {
  float *du, *dresidual, *dgamma, *dbeta;
  const float* dy;
  const uint8_t* mask;
  const float *u, *gamma, *beta, *mean, *variance, *attention_grad, *stat_grad, *batch_mean;
  float* correction;  // [2, c], shift and slant of training, or NULL
  float* partial;     // [pieces, 2, c], sums of df and df * (u - mean)
  unsigned* tickets;
  Split split;
  float epsilon, slope;
};

// The correction of the statistics' gradient: stat_grad[0] + stat_grad[1] * (u - batch_mean), around mean.
template <int kWidth>
__device__ void add_statistics(Pack<float, kWidth>& shift, Pack<float, kWidth>& slant, const Backward& job,
                               int64_t channel) {
  const Pack<float, kWidth> mean = load<kWidth>(job.mean + channel);
  const Pack<float, kWidth> at_mean = load<kWidth>(job.stat_grad + channel);
  const Pack<float, kWidth> per_unit = load<kWidth>(job.stat_grad + job.split.c + channel);
  const Pack<float, kWidth> batch_mean = load<kWidth>(job.batch_mean + channel);
#pragma unroll
  for (int k = 0; k < kWidth; k++) {
    shift[k] += at_mean[k] + per_unit[k] * (mean[k] - batch_mean[k]);
    slant[k] += per_unit[k];
  }
}

// Sums over pieces, once all are there: dgamma and dbeta, and training's correction.
template <int kWidth>
__device__ void finish_sums(const Backward& job, const Place& at) {
  using Doubles = Pack<double, kWidth>;
  const Split& s = job.split;
  const float* partial = job.partial + at.channel;
  const Doubles sum =
      sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) { return load<kWidth>(partial + piece * 2 * s.c); });
  const Doubles product =
      sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) { return load<kWidth>(partial + (piece * 2 + 1) * s.c); });
  if (!at.inside || at.line != 0) return;
  const Pack<float, kWidth> variance = load<kWidth>(job.variance + at.channel);
  const Pack<float, kWidth> gamma = load_or<kWidth>(job.gamma, at.channel, 1.0f);
  const double rows = static_cast<double>(s.n) * static_cast<double>(s.hw);
  Doubles dgamma, shift, slant;
#pragma unroll
  for (int k = 0; k < kWidth; k++) {
    const double square = static_cast<double>(variance[k] + job.epsilon);
    const double deviation = sqrt(square);
    const double scale = static_cast<double>(gamma[k]) / deviation / rows;
    dgamma[k] = product[k] / deviation;
    shift[k] = -scale * sum[k];
    slant[k] = -scale * product[k] / square;
  }
  if (job.dgamma != nullptr) {
    store(job.dgamma + at.channel, rounded(dgamma));
    store(job.dbeta + at.channel, rounded(sum));
  }
  if (job.correction != nullptr) {
    Pack<float, kWidth> shift_out = rounded(shift), slant_out = rounded(slant);
    if (job.stat_grad != nullptr) add_statistics(shift_out, slant_out, job, at.channel);
    store(job.correction + at.channel, shift_out);
    store(job.correction + s.c + at.channel, slant_out);
  }
}

template <int kWidth, bool kSums, bool kOutputs>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) backward(const Backward job) {
  using Floats = Pack<float, kWidth>;
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  const int last = at.inside ? p.rows : 0;
  const int64_t step = s.lines * s.c;
  const float slope = job.slope;
  const bool affine = kOutputs && (job.correction != nullptr || job.stat_grad != nullptr);
  const bool centered = kSums || affine || job.attention_grad != nullptr;

  Floats mean{}, scale{}, beta{}, shift{}, slant{};
  if (at.inside) {
    mean = load<kWidth>(job.mean + at.channel);
    scale = load<kWidth>(job.variance + at.channel);
    beta = load_or<kWidth>(job.beta, at.channel, 0.0f);
    const Floats gamma = load_or<kWidth>(job.gamma, at.channel, 1.0f);
#pragma unroll
    for (int k = 0; k < kWidth; k++) scale[k] = gamma[k] / sqrtf(scale[k] + job.epsilon);
    if (kOutputs && job.correction != nullptr) {
      shift = load<kWidth>(job.correction + at.channel);
      slant = load<kWidth>(job.correction + s.c + at.channel);
    } else if (affine) {
      add_statistics(shift, slant, job, at.channel);
    }
  }

  Floats sum{}, product{};
  for (int64_t image = p.first_image; image < p.last_image; image++) {
    int64_t start = (image * s.hw + p.first_row + at.line) * s.c + at.channel;
    Floats image_grad{};
    if (job.attention_grad != nullptr && at.inside) {
      image_grad = load<kWidth>(job.attention_grad + image * s.c + at.channel);
    }
    for (int row = at.line; row < last; row += kRows * s.lines, start += kRows * step) {
      // du or dresidual may be dy: these rows of it are read before they are written.
      Floats df[kRows], u[kRows];
      Pack<uint8_t, kWidth> mask[kRows];
      int rows = 0;
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        if (row + r * s.lines < last) df[r] = load<kWidth>(job.dy + start + r * step);
        rows += row + r * s.lines < last ? 1 : 0;
      }
      if (job.mask != nullptr) {
#pragma unroll
        for (int r = 0; r < kRows; r++) {
          if (r < rows) mask[r] = load<kWidth>(job.mask + start + r * step);
        }
      }
      if (centered) {
#pragma unroll
        for (int r = 0; r < kRows; r++) {
          if (r < rows) u[r] = load<kWidth>(job.u + start + r * step);
        }
      }
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        if (r >= rows) break;
        const int64_t element = start + r * step;
        if (job.mask != nullptr) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) df[r][k] = mask[r][k] != 0 ? df[r][k] : slope * df[r][k];
        }
        if (kOutputs && job.dresidual != nullptr) store(job.dresidual + element, df[r]);
        if (centered) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) u[r][k] -= mean[k];
        }
        if (job.attention_grad != nullptr) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) df[r][k] += (u[r][k] * scale[k] + beta[k]) * image_grad[k];
        }
        if constexpr (kSums) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) {
            sum[k] += df[r][k];
            product[k] += df[r][k] * u[r][k];
          }
        }
        if constexpr (kOutputs) {
#pragma unroll
          for (int k = 0; k < kWidth; k++) df[r][k] *= scale[k];
          if (affine) {
#pragma unroll
            for (int k = 0; k < kWidth; k++) df[r][k] += shift[k] + slant[k] * u[r][k];
          }
          store(job.du + element, df[r]);
        }
      }
    }
  }
  if constexpr (kSums) {
    sum = sum_lines(sum, s.lanes);
    product = sum_lines(product, s.lanes);
    if (at.inside && at.line == 0) {
      float* partial = job.partial + at.piece * 2 * s.c + at.channel;
      store(partial, sum);
      store(partial + s.c, product);
    }
    if (last_block(job.tickets + at.tile, static_cast<unsigned>(s.pieces))) finish_sums<kWidth>(job, at);
  }
}

template <int kWidth>
int32_t run(const Backward& job, const Stream& stream) {
  if (job.correction != nullptr) {
    const int32_t status = launch_tiles(backward<kWidth, true, false>, job, stream);
    return status != HAST_OK ? status : launch_tiles(backward<kWidth, false, true>, job, stream);
  }
  return job.dgamma != nullptr ? launch_tiles(backward<kWidth, true, true>, job, stream)
                               : launch_tiles(backward<kWidth, false, true>, job, stream);
}

}  // namespace

int64_t hast_bn_act_bwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) noexcept {
  if (any_below_one(n, hw, c)) return 0;
  return (most_pieces(n * hw, c) + 1) * 2 * c * static_cast<int64_t>(sizeof(float));
}

int32_t hast_bn_act_bwd_f32(float* du, float* dresidual, float* dgamma, float* dbeta, const float* dy,
                            const uint8_t* mask, const float* u, const float* gamma, const float* beta,
                            const float* mean, const float* variance, const float* attention_grad,
                            const float* stat_grad, const float* batch_mean, void* workspace, int64_t workspace_bytes,
                            int64_t n, int64_t hw, int64_t c, float epsilon, float slope, int32_t training,
                            void* stream) noexcept {
  if (!valid::bn_act_bwd(du, dresidual, dgamma, dbeta, dy, mask, u, mean, variance, stat_grad, batch_mean, n, hw, c,
                         epsilon, slope, stream)) {
    return HAST_EARGUMENT;
  }
  if (lacks(workspace, workspace_bytes, hast_bn_act_bwd_workspace_bytes(n, hw, c))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide = c % 4 == 0 && aligned4(mask) &&
                    aligned16(du, dresidual, dgamma, dbeta, dy, u, gamma, beta, mean, variance, attention_grad,
                              stat_grad, batch_mean, workspace);
  // Attention's gradient is the only per-image input: without it the images are one long matrix.
  const int width = wide ? 4 : 1;
  const Split s = attention_grad != nullptr ? split(n, hw, c, width, to) : split(1, n * hw, c, width, to);
  float* correction = static_cast<float*>(workspace);
  const Backward job{du,
                     dresidual,
                     dgamma,
                     dbeta,
                     dy,
                     mask,
                     u,
                     gamma,
                     beta,
                     mean,
                     variance,
                     attention_grad,
                     stat_grad,
                     batch_mean,
                     training != 0 ? correction : nullptr,
                     correction + 2 * c,
                     to.tickets,
                     s,
                     epsilon,
                     slope};
  return wide ? run<4>(job, to) : run<1>(job, to);
}

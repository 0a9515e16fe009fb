// Adjoint of bn_act_fwd, through the straight-through quantiser.
//
//   dv = dy * (mask ? 1 : slope);  dresidual = dv;  df = dv + f * attention_grad[n, c]
//   dgamma = sum df * xhat;  dbeta = sum df;  xhat = (u - mean) / sqrt(variance + epsilon)
//   du = df * scale, minus in training its projection on 1 and xhat; plus the gradient of the statistics
//
// Both corrections are affine in u, so they share one form: du = df * scale + shift[c] + slant[c] * (u - mean).
//
// Shapes: [n, hw, c]; dgamma and dbeta [c].
// Rounding: in float32, contraction allowed; sums in float32 within a block, in double across blocks and pieces.
// Determinism: pieces are cut by the sizes alone and combined in order.
// Bytes per element and pass: 4 dy, +1 mask, +4 u where a sum, attention or correction needs it, 4 du, +4 dresidual.
//
// Evaluation takes one pass over memory, training two (the sums must be known first).
#include <hast/norm.h>

#include <utility>

#include "panel.h"
#include "portable/arguments/norm.h"

namespace hast {
namespace {

constexpr int kMask = 1, kAttention = 2, kSums = 4, kAffine = 8, kResidual = 16, kVariants = 32;
constexpr int kSumsOnly = 32;  // first pass of training: kMask and kAttention may be added

struct Backward {
  float *du, *dresidual;
  const float* dy;
  const uint8_t* mask;
  const float *u, *gamma, *beta, *mean, *variance, *attention_grad;
  const float *shift, *slant;  // [c]
  double* partial;             // per piece: sum df [c], sum df * (u - mean) [c]
  Split s;
  int64_t c;
  float epsilon, slope;
};

template <int kVariant>
HAST_CLONES void backward_piece(const Backward& job, int64_t piece) {
  constexpr bool sums_only = (kVariant & kSumsOnly) != 0;
  constexpr bool mask = (kVariant & kMask) != 0;
  constexpr bool attention = (kVariant & kAttention) != 0;
  constexpr bool sums = sums_only || (kVariant & kSums) != 0;
  constexpr bool affine = (kVariant & kAffine) != 0;
  constexpr bool residual = (kVariant & kResidual) != 0;
  constexpr bool centered = attention || sums || affine;

  alignas(64) float mean[kPitch];
  alignas(64) float scale[kPitch];
  alignas(64) float beta[kPitch];
  alignas(64) float shift[kPitch];
  alignas(64) float slant[kPitch];
  alignas(64) float image_grad[kPitch];
  alignas(64) float sum[kPitch];
  alignas(64) float product[kPitch];
  alignas(64) double all_sum[kPitch];
  alignas(64) double all_product[kPitch];
  const float slope = job.slope;
  const int64_t c = job.c;
  const Part at = part(job.s, piece);

  for (int64_t tile = 0; tile < panels(c); tile++) {
    const Panel p = panel(c, tile);
    for (int64_t i = 0; i < p.width; i++) {
      const float gamma = job.gamma != nullptr ? job.gamma[p.first + i] : 1.0f;
      mean[i] = job.mean[p.first + i];
      scale[i] = gamma / __builtin_sqrtf(job.variance[p.first + i] + job.epsilon);
      beta[i] = job.beta != nullptr ? job.beta[p.first + i] : 0.0f;
      if constexpr (affine) {
        shift[i] = job.shift[p.first + i];
        slant[i] = job.slant[p.first + i];
      }
    }
    repeat(mean, p);
    repeat(scale, p);
    repeat(beta, p);
    if constexpr (affine) {
      repeat(shift, p);
      repeat(slant, p);
    }
    if constexpr (sums) {
      for (int64_t i = 0; i < p.width; i++) all_sum[i] = all_product[i] = 0.0;
    }
    for (int64_t image = at.first_image; image < at.last_image; image++) {
      if constexpr (attention) {
        const float* from = job.attention_grad + image * c + p.first;
        for (int64_t i = 0; i < p.width; i++) image_grad[i] = from[i];
        repeat(image_grad, p);
      }
      for (int64_t row = 0; row < at.rows; row += p.fold_rows) {
        const int64_t rows = smaller(p.fold_rows, at.rows - row);
        const int64_t start = (image * job.s.hw + at.first_row + row) * c + p.first;
        if constexpr (sums) {
          clear(sum, p);
          clear(product, p);
        }
        for (int64_t g = 0; g < groups(p, rows); g++) {
          const Group in = group(p, rows, g);
          const int64_t length = in.length;
          // du or dresidual may be dy, so none of these is restrict; the same element is read before it is written.
          const float* dy = job.dy + start + in.offset;
          const uint8_t* m = mask ? job.mask + start + in.offset : nullptr;
          const float* u = centered ? job.u + start + in.offset : nullptr;
          float* du = sums_only ? nullptr : job.du + start + in.offset;
          float* dresidual = residual ? job.dresidual + start + in.offset : nullptr;
          HAST_INDEPENDENT
          for (int64_t i = 0; i < length; i++) {
            float df = dy[i];
            if constexpr (mask) df = m[i] != 0 ? df : slope * df;
            if constexpr (residual) dresidual[i] = df;
            float d = 0.0f;
            if constexpr (centered) d = u[i] - mean[i];
            if constexpr (attention) df += (d * scale[i] + beta[i]) * image_grad[i];
            if constexpr (sums) {
              sum[i] += df;
              product[i] += df * d;
            }
            if constexpr (!sums_only) {
              float value = df * scale[i];
              if constexpr (affine) value += shift[i] + slant[i] * d;
              du[i] = value;
            }
          }
        }
        if constexpr (sums) {
          fold(all_sum, sum, p);
          fold(all_product, product, p);
        }
      }
    }
    if constexpr (sums) {
      double* out = job.partial + piece * 2 * c + p.first;
      for (int64_t i = 0; i < p.width; i++) {
        out[i] = all_sum[i];
        out[c + i] = all_product[i];
      }
    }
  }
}

using PieceFunction = void (*)(const Backward&, int64_t);

template <int... kVariant>
PieceFunction choose(int variant, std::integer_sequence<int, kVariant...>) {
  PieceFunction chosen = nullptr;
  ((variant == kVariant ? (chosen = backward_piece<kVariant>, 0) : 0), ...);
  return chosen;
}

void run(const Backward& job, int variant, void* stream) {
  // Beyond the first pass's four variants, the sequence ends.
  const PieceFunction piece_function = choose(variant, std::make_integer_sequence<int, kVariants + 4>());
  parallel_for(stream, job.s.pieces, [&](int64_t piece) { piece_function(job, piece); });
}

constexpr int64_t kChannels = 64;

// totals[0, c] = sum df, totals[1, c] = sum df * (u - mean), over the pieces in order
HAST_CLONES void total_channels(double* totals, const double* partial, int64_t pieces, int64_t c, int64_t first,
                                int64_t width) {
  double sum[kChannels] = {};
  double product[kChannels] = {};
  for (int64_t piece = 0; piece < pieces; piece++) {
    const double* from = partial + piece * 2 * c + first;
    for (int64_t i = 0; i < width; i++) {
      sum[i] += from[i];
      product[i] += from[c + i];
    }
  }
  for (int64_t i = 0; i < width; i++) {
    totals[first + i] = sum[i];
    totals[c + first + i] = product[i];
  }
}

void total(double* totals, const Backward& job, float* dgamma, float* dbeta, void* stream) {
  const int64_t c = job.c;
  parallel_for(stream, ceil_div(c, kChannels), [&](int64_t index) {
    const int64_t first = index * kChannels;
    total_channels(totals, job.partial, job.s.pieces, c, first, smaller(kChannels, c - first));
  });
  if (dgamma == nullptr) return;
  for (int64_t i = 0; i < c; i++) {
    const double deviation = __builtin_sqrt(static_cast<double>(job.variance[i] + job.epsilon));
    dgamma[i] = static_cast<float>(totals[c + i] / deviation);
    dbeta[i] = static_cast<float>(totals[i]);
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int64_t hast_bn_act_bwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) noexcept {
  if (any_below_one(n, hw, c)) return 0;
  // partial sums, their totals, shift and slant
  return bytes_of<double>((most_pieces(n, hw, c) + 1) * 2 * c) + bytes_of<float>(2 * c);
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
  const Split s = split(n, hw, c, attention_grad != nullptr);
  double* partial = static_cast<double*>(workspace);
  double* totals = partial + s.pieces * 2 * c;
  float* shift = reinterpret_cast<float*>(totals + 2 * c);
  float* slant = shift + c;
  const Backward job{du,    dresidual, dy,      mask, u, gamma,   beta, mean, variance, attention_grad,
                     shift, slant,     partial, s,    c, epsilon, slope};
  const int reads = (mask != nullptr ? kMask : 0) | (attention_grad != nullptr ? kAttention : 0);
  const bool train = training != 0;
  if (train) {
    run(job, kSumsOnly | reads, stream);
    total(totals, job, dgamma, dbeta, stream);
  }
  const bool affine = train || stat_grad != nullptr;
  if (affine) {
    const double rows = static_cast<double>(n) * static_cast<double>(hw);
    for (int64_t i = 0; i < c; i++) {
      double at_mean = 0.0, per_unit = 0.0;
      if (train) {
        const double square = static_cast<double>(variance[i] + epsilon);
        const double scale = (gamma != nullptr ? static_cast<double>(gamma[i]) : 1.0) / __builtin_sqrt(square);
        at_mean -= scale * totals[i] / rows;
        per_unit -= scale * totals[c + i] / square / rows;
      }
      if (stat_grad != nullptr) {
        const double slope_of_stat = static_cast<double>(stat_grad[c + i]);
        at_mean += static_cast<double>(stat_grad[i]) +
                   slope_of_stat * (static_cast<double>(mean[i]) - static_cast<double>(batch_mean[i]));
        per_unit += slope_of_stat;
      }
      shift[i] = static_cast<float>(at_mean);
      slant[i] = static_cast<float>(per_unit);
    }
  }
  const bool sums = !train && dgamma != nullptr;
  run(job, reads | (sums ? kSums : 0) | (affine ? kAffine : 0) | (dresidual != nullptr ? kResidual : 0), stream);
  if (sums) total(totals, job, dgamma, dbeta, stream);
  return HAST_OK;
}

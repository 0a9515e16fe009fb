// Batch normalisation fused with the residual add, the activation, fake quantisation and three by-products.
//
//   f = (u - mean) * (gamma / sqrt(variance + epsilon)) + beta,  v = f + residual,  mask = 0 < v < ceiling, and in
//   range y = fake_quant(min(v > 0 ? v : slope * v, ceiling)),  attention[n, c] = mean_hw f²,  batch moments of u
//
// Shapes: [n, hw, c]; attention [n, c], moments [c].
// Rounding: every operation on its own, fake_quant as portable/quantizer.h has it, so y and mask agree bit for bit with
// the other libraries; attention in float32 within a block, in double across blocks; moments as in bn_stats.cpp.
// Determinism: pieces are cut by the sizes alone and combined in order.
// Bytes per element: 8, +4 residual, +1 mask.
//
// One pass over memory: a block stays in the L1 cache while its moments are taken and its outputs are written.
#include <hast/norm.h>

#include <utility>

#include "panel.h"
#include "portable/activation.h"
#include "portable/arguments/norm.h"
#include "portable/quantizer.h"

namespace hast {
namespace {

constexpr int kResidual = 1, kMask = 2, kMoments = 4, kAttention = 8, kQuantized = 16, kBounded = 32;
constexpr int kVariants = 64;

struct Forward {
  float* y;
  uint8_t* mask;
  float* attention;
  const float *u, *residual, *gamma, *beta, *mean, *variance, *range;
  double* partial;  // per piece: mean[c], squares[c] of u, sum of f² [c]
  Split s;
  int64_t c;
  Activation activation;
  float epsilon;
  int32_t bits;
  bool in_range;
};

// What one channel's normalisation takes, repeated over a period.
struct Coefficients {
  alignas(64) float mean[kPitch];
  alignas(64) float scale[kPitch];
  alignas(64) float beta[kPitch];
};

// Apart from forward_piece, as is fold_squares: called once for many elements, and compiled once for all variants.
HAST_CLONES void coefficients(Coefficients& out, const Forward& job, const Panel& p) {
  float* __restrict mean = out.mean;
  float* __restrict scale = out.scale;
  float* __restrict beta = out.beta;
  for (int64_t i = 0; i < p.width; i++) {
    const float gamma = job.gamma != nullptr ? job.gamma[p.first + i] : 1.0f;
    mean[i] = job.mean[p.first + i];
    scale[i] = gamma / __builtin_sqrtf(job.variance[p.first + i] + job.epsilon);
    beta[i] = job.beta != nullptr ? job.beta[p.first + i] : 0.0f;
  }
  repeat(mean, p);
  repeat(scale, p);
  repeat(beta, p);
}

HAST_CLONES void fold_squares(double* __restrict sums, float* __restrict squares, const Panel& p) {
  fold(sums, squares, p);
  clear(squares, p);
}

template <int kVariant>
HAST_CLONES void forward_piece(const Forward& job, int64_t piece) {
  constexpr bool residual = (kVariant & kResidual) != 0;
  constexpr bool mask = (kVariant & kMask) != 0;
  constexpr bool moments = (kVariant & kMoments) != 0;
  constexpr bool attention = (kVariant & kAttention) != 0;
  constexpr bool quantized = (kVariant & kQuantized) != 0;
  constexpr bool bounded = (kVariant & kBounded) != 0;

  Coefficients channel;
  alignas(64) float squares[kPitch];
  alignas(64) double attention_sums[kPitch];
  Moments all;
  const Activation activation = job.activation;
  Quantizer quantize{};
  if constexpr (quantized) quantize = quantizer(job.range[0], job.range[1], job.bits);
  const Passing levels = passing(quantize, job.in_range);
  const int64_t c = job.c;
  const Part at = part(job.s, piece);

  for (int64_t tile = 0; tile < panels(c); tile++) {
    const Panel p = panel(c, tile);
    coefficients(channel, job, p);
    if constexpr (moments) {
      all.count = 0.0;
      for (int64_t i = 0; i < p.width; i++) all.mean[i] = all.squares[i] = 0.0;
    }
    for (int64_t image = at.first_image; image < at.last_image; image++) {
      if constexpr (attention) {
        for (int64_t i = 0; i < p.width; i++) attention_sums[i] = 0.0;
        clear(squares, p);
      }
      const int64_t block = moments ? p.block_rows : p.fold_rows;
      for (int64_t row = 0; row < at.rows; row += block) {
        const int64_t rows = smaller(block, at.rows - row);
        const int64_t start = (image * job.s.hw + at.first_row + row) * c + p.first;
        if constexpr (moments) add_block(all, job.u + start, job.y + start, p, rows);
        for (int64_t g = 0; g < groups(p, rows); g++) {
          const Group in = group(p, rows, g);
          const int64_t length = in.length;
          const float* __restrict u = job.u + start + in.offset;
          // y may be the residual, element by element.
          const float* a = residual ? job.residual + start + in.offset : nullptr;
          float* y = job.y + start + in.offset;
          uint8_t* __restrict m = mask ? job.mask + start + in.offset : nullptr;
          if constexpr (moments) {
            // This block's u is in the L1 cache and its y was asked for: use the time to ask for the next u.
            for (int64_t i = 0; i < length; i += kLanes) __builtin_prefetch(u + block * c + i);
          }
          HAST_INDEPENDENT
          for (int64_t i = 0; i < length; i++) {
            const float f = (u[i] - channel.mean[i]) * channel.scale[i] + channel.beta[i];
            if constexpr (attention) squares[i] += f * f;
            float v = f;
            if constexpr (residual) v += a[i];
            const bool slopes = passes(activation, bounded, v);
            v = activate(activation, bounded, v);
            if constexpr (mask) m[i] = quantized ? slopes & levels(quantize.level(v)) : slopes;
            if constexpr (quantized) v = fake_quant(quantize, v);
            y[i] = v;
          }
        }
        if constexpr (attention) {
          if ((row + rows) % p.fold_rows == 0 || row + rows == at.rows) {
            fold_squares(attention_sums, squares, p);
          }
        }
      }
      if constexpr (attention) {
        if (job.s.segments == 1) {
          float* out = job.attention + image * c + p.first;
          const double hw = static_cast<double>(job.s.hw);
          for (int64_t i = 0; i < p.width; i++) out[i] = static_cast<float>(attention_sums[i] / hw);
        } else {
          double* out = job.partial + (piece * 3 + 2) * c + p.first;
          for (int64_t i = 0; i < p.width; i++) out[i] = attention_sums[i];
        }
      }
    }
    if constexpr (moments) {
      double* out = job.partial + piece * 3 * c + p.first;
      for (int64_t i = 0; i < p.width; i++) {
        out[i] = all.mean[i];
        out[c + i] = all.squares[i];
      }
    }
  }
}

using PieceFunction = void (*)(const Forward&, int64_t);

template <int... kVariant>
PieceFunction choose(int variant, std::integer_sequence<int, kVariant...>) {
  PieceFunction chosen = nullptr;
  ((variant == kVariant ? (chosen = forward_piece<kVariant>, 0) : 0), ...);
  return chosen;
}

}  // namespace
}  // namespace hast

using namespace hast;

int64_t hast_bn_act_fwd_workspace_bytes(int64_t n, int64_t hw, int64_t c) noexcept {
  if (any_below_one(n, hw, c)) return 0;
  return bytes_of<double>(most_pieces(n, hw, c) * 3 * c);
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
  const bool per_image = attention != nullptr;  // the only such quantity
  const Split s = split(n, hw, c, per_image);
  double* partial = static_cast<double*>(workspace);
  const Forward job{y,     mask,    attention, u, residual,   gamma,   beta, mean,         variance,
                    range, partial, s,         c, activation, epsilon, bits, in_range != 0};
  const int variant = (residual != nullptr ? kResidual : 0) | (mask != nullptr ? kMask : 0) |
                      (batch_mean != nullptr ? kMoments : 0) | (per_image ? kAttention : 0) |
                      (range != nullptr ? kQuantized : 0) | (activation.bounded() ? kBounded : 0);
  const PieceFunction run = choose(variant, std::make_integer_sequence<int, kVariants>());
  parallel_for(stream, s.pieces, [&](int64_t piece) { run(job, piece); });
  if (batch_mean != nullptr) combine_moments(batch_mean, batch_variance, partial, 3 * c, s, c, stream);
  if (per_image && s.segments > 1) {
    for (int64_t image = 0; image < n; image++) {
      for (int64_t i = 0; i < c; i++) {
        double sum = 0.0;
        for (int64_t k = 0; k < s.segments; k++) sum += partial[((image * s.segments + k) * 3 + 2) * c + i];
        attention[image * c + i] = static_cast<float>(sum / static_cast<double>(hw));
      }
    }
  }
  return HAST_OK;
}

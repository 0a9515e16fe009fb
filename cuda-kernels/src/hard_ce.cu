// Hardness-weighted cross-entropy and its gradient.
//
//   p = softmax(z)[label], d = 1 - p, c = -log p;  loss = beta mean_n d^gamma c
//   dlogits_j = (beta / N) (-d^gamma - gamma d^(gamma-1) p c) ([j = label] - softmax_j)
//
// d is the sum of the other softmax terms and c is log1p of their ratio to p where p is the largest, so both keep their
// digits near p = 1; d^(gamma-1) c is evaluated as d^gamma (c / d), whose limit is finite. Where d is 0, so is the
// gradient. Shapes [n, k]. Exponentials and the power in float32: their relative error is that of the result; sums and
// the rest of a row's arithmetic in double. Deterministic (loss_sum.cuh). A warp per row, its lanes over the classes,
// three passes of which two hit the cache; 8 bytes per element.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.cuh"
#include "portable/arguments/loss.h"

using namespace hast;

namespace {

__device__ double row_loss(float* gradient, float* difficulty, const float* z, int32_t label, int64_t k, double share,
                           float gamma) {
  const int lane = lane_of_thread();
  if (label < 0 || label >= k) {
    for (int64_t j = lane; j < k; j += kWarp) gradient[j] = NAN;
    if (difficulty != nullptr && lane == 0) *difficulty = NAN;
    return NAN;
  }
  const float largest = row_max(z, k);
  const double gap = static_cast<double>(largest) - static_cast<double>(z[label]);
  double others = 0.0;
#pragma unroll 4
  for (int64_t j = lane; j < k; j += kWarp) {
    const float term = expf(z[j] - largest);
    others += static_cast<double>(j != label ? term : 0.0f);
  }
  others = warp_sum(others);
  const double own = static_cast<double>(expf(static_cast<float>(-gap)));
  const double sum = own + others;
  const double p = own / sum;
  const double d = others / sum;
  const double c = gap == 0.0 ? log1p(others) : gap + log(sum);
  const double weight = static_cast<double>(powf(static_cast<float>(d), gamma));
  if (difficulty != nullptr && lane == 0) *difficulty = static_cast<float>(d);
  double outer = 0.0;
  if (d != 0.0) {
    outer = -share * (weight + (gamma != 0.0f ? static_cast<double>(gamma) * weight * p * (c / d) : 0.0));
  }
  const float at_label = static_cast<float>(outer * d);
  const float elsewhere = static_cast<float>(-outer / sum);
#pragma unroll 4
  for (int64_t j = lane; j < k; j += kWarp) gradient[j] = j == label ? at_label : elsewhere * expf(z[j] - largest);
  return weight * c;
}

__global__ void __launch_bounds__(kLossThreads)
    hard_ce(float* loss, float* dlogits, float* difficulty, const float* __restrict__ logits,
            const int32_t* __restrict__ labels, int64_t n, int64_t k, double share, float gamma, unsigned* tickets) {
  double sum;
  const bool writes = sum_rows(sum, tickets, n, [&](int64_t i) {
    return row_loss(dlogits + i * k, difficulty != nullptr ? difficulty + i : nullptr, logits + i * k, labels[i], k,
                    share, gamma);
  });
  if (writes) *loss = static_cast<float>(share * sum);
}

}  // namespace

int32_t hast_hard_ce_fwd_f32(float* loss, float* dlogits, float* difficulty, const float* logits, const int32_t* labels,
                             int64_t n, int64_t k, float beta, float gamma, void* stream) noexcept {
  if (!valid::hard_ce(loss, dlogits, logits, labels, n, k, gamma, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const double share = static_cast<double>(beta) / static_cast<double>(n);
  return launch(hard_ce, loss_blocks(n), kLossThreads, 0, s, loss, dlogits, difficulty, logits, labels, n, k, share,
                gamma, s.tickets);
}

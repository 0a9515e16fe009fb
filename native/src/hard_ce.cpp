// Hardness-weighted cross-entropy and its gradient.
//
//   p = softmax(z)[label], d = 1 - p, c = -log p;  loss = beta mean_n d^gamma c
//   dlogits_j = (beta / N) (-d^gamma - gamma d^(gamma-1) p c) ([j = label] - softmax_j)
//
// Shapes: logits [n, k], difficulty [n].
// Rounding: in double, rounded once.
// Determinism: rows are summed in fixed groups, those in order.
// Bytes per element: 8.
//
// d is the sum of the other softmax terms and c is log1p of their ratio to p where p is the largest, so both keep their
// digits near p = 1; d^(gamma-1) c is evaluated as d^gamma (c / d), whose limit is finite. Where d is 0, so is the
// gradient.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.h"
#include "portable/arguments/loss.h"

namespace hast {
namespace {

double row_loss(float* gradient, float* difficulty, const float* z, int32_t label, int64_t k, double share,
                double gamma) {
  if (label < 0 || label >= k) {
    for (int64_t j = 0; j < k; j++) gradient[j] = NAN;
    if (difficulty != nullptr) *difficulty = NAN;
    return NAN;
  }
  const double shift = static_cast<double>(row_max(z, k));
  const double gap = shift - static_cast<double>(z[label]);
  const double own = std::exp(-gap);
  double others = 0.0;
  for (int64_t j = 0; j < k; j++) {
    if (j != label) others += std::exp(static_cast<double>(z[j]) - shift);
  }
  const double sum = own + others;
  const double p = own / sum;
  const double d = others / sum;
  const double c = gap == 0.0 ? std::log1p(others) : gap + std::log(sum);
  const double weight = std::pow(d, gamma);
  if (difficulty != nullptr) *difficulty = static_cast<float>(d);
  double outer = 0.0;
  if (d != 0.0) outer = -share * (weight + (gamma != 0.0 ? gamma * weight * p * (c / d) : 0.0));
  for (int64_t j = 0; j < k; j++) {
    const double inner = j == label ? d : -std::exp(static_cast<double>(z[j]) - shift) / sum;
    gradient[j] = static_cast<float>(outer * inner);
  }
  return weight * c;
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_hard_ce_fwd_f32(float* loss, float* dlogits, float* difficulty, const float* logits, const int32_t* labels,
                             int64_t n, int64_t k, float beta, float gamma, void* stream) noexcept {
  if (!valid::hard_ce(loss, dlogits, logits, labels, n, k, gamma, stream)) return HAST_EARGUMENT;
  const double share = static_cast<double>(beta) / static_cast<double>(n);
  const double sum = sum_rows(stream, n, k, [&](int64_t i) {
    return row_loss(dlogits + i * k, difficulty != nullptr ? difficulty + i : nullptr, logits + i * k, labels[i], k,
                    share, static_cast<double>(gamma));
  });
  *loss = static_cast<float>(share * sum);
  return HAST_OK;
}

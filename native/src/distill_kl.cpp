// Distillation: a = log_softmax(student / T), b = softmax(teacher / T), r_j = log b_j - a_j.
//
//   loss = alpha T² / N sum_n sum_j b_j r_j
//   dstudent = (alpha T / N) (softmax(student / T) - b);  dteacher_j = (alpha T / N) b_j (r_j - sum_k b_k r_k)
//
// Shapes: [n, k].
// Rounding: in double throughout, as the terms nearly cancel at T = 20; rounded once.
// Determinism: rows are summed in fixed groups, those in order.
// Bytes per element: 8, +4 for each gradient.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.h"
#include "portable/arguments/loss.h"

namespace hast {
namespace {

// z / T = log_softmax + shift; both parts of the shift are returned added
double log_normalizer(const float* z, int64_t k, double temperature) {
  const double shift = static_cast<double>(row_max(z, k)) / temperature;
  double sum = 0.0;
  for (int64_t j = 0; j < k; j++) sum += std::exp(static_cast<double>(z[j]) / temperature - shift);
  return shift + std::log(sum);
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_distill_kl_fwd_f32(float* loss, float* dstudent, float* dteacher, const float* student,
                                const float* teacher, int64_t n, int64_t k, float temperature, float alpha,
                                void* stream) noexcept {
  if (!valid::distill_kl(loss, student, teacher, n, k, temperature, stream)) return HAST_EARGUMENT;
  const double t = static_cast<double>(temperature);
  const double share = static_cast<double>(alpha) * t / static_cast<double>(n);
  const double sum = sum_rows(stream, n, k, [&](int64_t i) {
    const float* zs = student + i * k;
    const float* zt = teacher + i * k;
    const double ns = log_normalizer(zs, k, t);
    const double nt = log_normalizer(zt, k, t);
    double divergence = 0.0;
    for (int64_t j = 0; j < k; j++) {
      const double a = static_cast<double>(zs[j]) / t - ns;
      const double log_b = static_cast<double>(zt[j]) / t - nt;
      const double b = std::exp(log_b);
      // A term whose probability is 0 adds nothing, even where its logarithm is -inf.
      if (b != 0.0) divergence += b * (log_b - a);
      if (dstudent != nullptr) dstudent[i * k + j] = static_cast<float>(share * (std::exp(a) - b));
    }
    if (dteacher != nullptr) {
      for (int64_t j = 0; j < k; j++) {
        const double a = static_cast<double>(zs[j]) / t - ns;
        const double log_b = static_cast<double>(zt[j]) / t - nt;
        const double b = std::exp(log_b);
        dteacher[i * k + j] = static_cast<float>(b != 0.0 ? share * b * (log_b - a - divergence) : 0.0);
      }
    }
    return divergence;
  });
  *loss = static_cast<float>(share * t * sum);
  return HAST_OK;
}

// Distillation: a = log_softmax(student / T), b = softmax(teacher / T), r_j = log b_j - a_j
//
//   loss = alpha T² / N sum_n sum_j b_j r_j
//   dstudent = (alpha T / N) (softmax(student / T) - b);  dteacher_j = (alpha T / N) b_j (r_j - sum_k b_k r_k)
//
// r_j is delta_j = (teacher_j - student_j) / T and what all j share, so one pass gives sum_j b_j r_j with the
// softmaxes. At T = 20 the terms nearly cancel, hence double throughout, exponentials too, rounded once. Shapes [n, k].
// Deterministic (loss_sum.cuh). A warp per row, its lanes over the classes, three passes of which two hit the cache; 8
// bytes per element read, 4 written for each gradient.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.cuh"
#include "portable/arguments/loss.h"

using namespace hast;

namespace {

__device__ double row_loss(float* dstudent, float* dteacher, const float* student, const float* teacher, int64_t k,
                           double inverse, double share) {
  const int lane = lane_of_thread();
  const double s_shift = static_cast<double>(row_max(student, k)) * inverse;
  const double t_shift = static_cast<double>(row_max(teacher, k)) * inverse;
  double s_sum = 0.0, t_sum = 0.0, deltas = 0.0;
#pragma unroll 2
  for (int64_t j = lane; j < k; j += kWarp) {
    const double zs = static_cast<double>(student[j]) * inverse;
    const double zt = static_cast<double>(teacher[j]) * inverse;
    const double b = exp(zt - t_shift);
    s_sum += exp(zs - s_shift);
    t_sum += b;
    // A term whose probability is 0 adds nothing, even where its logarithm is -inf.
    if (b != 0.0) deltas += b * (zt - zs);
  }
  s_sum = warp_sum(s_sum);
  t_sum = warp_sum(t_sum);
  // log b_j - a_j is delta_j + normalisers.
  const double normalizers = (s_shift + log(s_sum)) - (t_shift + log(t_sum));
  const double divergence = warp_sum(deltas) / t_sum + normalizers;
  if (dstudent != nullptr || dteacher != nullptr) {
    const double s_scale = share / s_sum;
    const double t_scale = share / t_sum;
#pragma unroll 2
    for (int64_t j = lane; j < k; j += kWarp) {
      const double zs = static_cast<double>(student[j]) * inverse;
      const double zt = static_cast<double>(teacher[j]) * inverse;
      const double b = t_scale * exp(zt - t_shift);
      if (dstudent != nullptr) dstudent[j] = static_cast<float>(s_scale * exp(zs - s_shift) - b);
      if (dteacher != nullptr) {
        dteacher[j] = static_cast<float>(b != 0.0 ? b * (zt - zs + normalizers - divergence) : 0.0);
      }
    }
  }
  return divergence;
}

// 4 blocks at once are plenty; asked for no number, the compiler aims at more and spills.
__global__ void __launch_bounds__(kLossThreads, 4)
    distill_kl(float* loss, float* dstudent, float* dteacher, const float* __restrict__ student,
               const float* __restrict__ teacher, int64_t n, int64_t k, double temperature, double share,
               unsigned* tickets) {
  const double inverse = 1.0 / temperature;
  double sum;
  const bool writes = sum_rows(sum, tickets, n, [&](int64_t i) {
    return row_loss(dstudent != nullptr ? dstudent + i * k : nullptr, dteacher != nullptr ? dteacher + i * k : nullptr,
                    student + i * k, teacher + i * k, k, inverse, share);
  });
  if (writes) *loss = static_cast<float>(share * temperature * sum);
}

}  // namespace

int32_t hast_distill_kl_fwd_f32(float* loss, float* dstudent, float* dteacher, const float* student,
                                const float* teacher, int64_t n, int64_t k, float temperature, float alpha,
                                void* stream) noexcept {
  if (!valid::distill_kl(loss, student, teacher, n, k, temperature, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const double t = static_cast<double>(temperature);
  const double share = static_cast<double>(alpha) * t / static_cast<double>(n);
  return launch(distill_kl, loss_blocks(n), kLossThreads, 0, s, loss, dstudent, dteacher, student, teacher, n, k, t,
                share, s.tickets);
}

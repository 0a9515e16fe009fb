// Feature alignment of one tap, on the attentions v[n, c] of student and teacher.
//
//   norm = v / max(|v|, 1e-12);  loss (= or +=) lambda mean_{n,c} (normS - normT)²
//   grad = (2 / hw) (g - norm (norm . g)) / max(|v|, 1e-12),  g = +-2 lambda (normS - normT) / (N C)
//
// In double, rounded once. Deterministic (loss_sum.cuh). A warp per sample, its lanes over the channels, three passes
// of which two hit the cache; 8 bytes per element read, 4 written for each gradient.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.cuh"
#include "portable/arguments/loss.h"

using namespace hast;

namespace {

__device__ double inverse_length(double squares) {
  const double length = sqrt(warp_sum(squares));
  return 1.0 / (length < 1e-12 ? 1e-12 : length);
}

// g is g_scale times the student's norm minus the teacher's, and its negative for the teacher.
__device__ double row_loss(float* student_grad, float* teacher_grad, const float* student, const float* teacher,
                           int64_t c, double g_scale, double outer) {
  const int lane = lane_of_thread();
  double s_squares = 0.0, t_squares = 0.0;
#pragma unroll 4
  for (int64_t i = lane; i < c; i += kWarp) {
    const double s = static_cast<double>(student[i]);
    const double t = static_cast<double>(teacher[i]);
    s_squares += s * s;
    t_squares += t * t;
  }
  const double s_inverse = inverse_length(s_squares);
  const double t_inverse = inverse_length(t_squares);
  double squares = 0.0, s_along = 0.0;
#pragma unroll 4
  for (int64_t i = lane; i < c; i += kWarp) {
    const double s = static_cast<double>(student[i]) * s_inverse;
    const double d = s - static_cast<double>(teacher[i]) * t_inverse;
    squares += d * d;
    s_along += s * d;
  }
  squares = warp_sum(squares);
  s_along = warp_sum(s_along);
  if (student_grad != nullptr || teacher_grad != nullptr) {
    // normT (normS - normT) = normS (normS - normT) - (normS - normT)²
    const double t_along = s_along - squares;
    const double s_outer = outer * g_scale * s_inverse;
    const double t_outer = -outer * g_scale * t_inverse;
#pragma unroll 4
    for (int64_t i = lane; i < c; i += kWarp) {
      const double s = static_cast<double>(student[i]) * s_inverse;
      const double t = static_cast<double>(teacher[i]) * t_inverse;
      if (student_grad != nullptr) student_grad[i] = static_cast<float>(s_outer * (s - t - s * s_along));
      if (teacher_grad != nullptr) teacher_grad[i] = static_cast<float>(t_outer * (s - t - t * t_along));
    }
  }
  return squares;
}

__global__ void __launch_bounds__(kLossThreads)
    feature_align(float* loss, float* student_grad, float* teacher_grad, const float* __restrict__ student,
                  const float* __restrict__ teacher, int64_t n, int64_t c, double share, double outer, bool accumulate,
                  unsigned* tickets) {
  double sum;
  const bool writes = sum_rows(sum, tickets, n, [&](int64_t row) {
    return row_loss(student_grad != nullptr ? student_grad + row * c : nullptr,
                    teacher_grad != nullptr ? teacher_grad + row * c : nullptr, student + row * c, teacher + row * c, c,
                    2.0 * share, outer);
  });
  if (writes) *loss = static_cast<float>((accumulate ? static_cast<double>(*loss) : 0.0) + share * sum);
}

}  // namespace

int32_t hast_feature_align_fwd_f32(float* loss, float* student_grad, float* teacher_grad, const float* student,
                                   const float* teacher, int64_t n, int64_t hw, int64_t c, float lambda,
                                   int32_t accumulate, void* stream) noexcept {
  if (!valid::feature_align(loss, student, teacher, n, hw, c, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const double share = static_cast<double>(lambda) / (static_cast<double>(n) * static_cast<double>(c));
  return launch(feature_align, loss_blocks(n), kLossThreads, 0, s, loss, student_grad, teacher_grad, student, teacher,
                n, c, share, 2.0 / static_cast<double>(hw), accumulate != 0, s.tickets);
}

// Feature alignment of one tap, on the attentions v[n, c] of student and teacher.
//
//   norm = v / max(|v|, 1e-12);  loss (= or +=) lambda mean_{n,c} (normS - normT)²
//   grad = (2 / hw) (g - norm (norm . g)) / max(|v|, 1e-12),  g = +-2 lambda (normS - normT) / (N C)
//
// Shapes: [n, c].
// Rounding: in double, rounded once.
// Determinism: rows are summed in fixed groups, those in order.
// Bytes per element: 8, +4 for each gradient.
#include <hast/loss.h>

#include <cmath>

#include "loss_sum.h"
#include "portable/arguments/loss.h"

namespace hast {
namespace {

double inverse_length(const float* v, int64_t c) {
  double sum = 0.0;
  for (int64_t i = 0; i < c; i++) sum += static_cast<double>(v[i]) * static_cast<double>(v[i]);
  const double length = std::sqrt(sum);
  return 1.0 / (length < 1e-12 ? 1e-12 : length);
}

// Gradient of one side: `own` is its attention, and g = g_scale times its norm minus the other's.
void write_gradient(float* grad, const float* own, double own_inverse, const float* other, double other_inverse,
                    int64_t c, double g_scale, double outer) {
  double along = 0.0;
  for (int64_t i = 0; i < c; i++) {
    const double norm = static_cast<double>(own[i]) * own_inverse;
    along += norm * g_scale * (norm - static_cast<double>(other[i]) * other_inverse);
  }
  for (int64_t i = 0; i < c; i++) {
    const double norm = static_cast<double>(own[i]) * own_inverse;
    const double g = g_scale * (norm - static_cast<double>(other[i]) * other_inverse);
    grad[i] = static_cast<float>(outer * (g - norm * along) * own_inverse);
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_feature_align_fwd_f32(float* loss, float* student_grad, float* teacher_grad, const float* student,
                                   const float* teacher, int64_t n, int64_t hw, int64_t c, float lambda,
                                   int32_t accumulate, void* stream) noexcept {
  if (!valid::feature_align(loss, student, teacher, n, hw, c, stream)) return HAST_EARGUMENT;
  const double share = static_cast<double>(lambda) / (static_cast<double>(n) * static_cast<double>(c));
  const double outer = 2.0 / static_cast<double>(hw);
  const double sum = sum_rows(stream, n, c, [&](int64_t row) {
    const float* s = student + row * c;
    const float* t = teacher + row * c;
    const double s_inverse = inverse_length(s, c);
    const double t_inverse = inverse_length(t, c);
    double squares = 0.0;
    for (int64_t i = 0; i < c; i++) {
      const double d = static_cast<double>(s[i]) * s_inverse - static_cast<double>(t[i]) * t_inverse;
      squares += d * d;
    }
    if (student_grad != nullptr) {
      write_gradient(student_grad + row * c, s, s_inverse, t, t_inverse, c, 2.0 * share, outer);
    }
    if (teacher_grad != nullptr) {
      write_gradient(teacher_grad + row * c, t, t_inverse, s, s_inverse, c, 2.0 * share, outer);
    }
    return squares;
  });
  const double before = accumulate != 0 ? static_cast<double>(*loss) : 0.0;
  *loss = static_cast<float>(before + share * sum);
  return HAST_OK;
}

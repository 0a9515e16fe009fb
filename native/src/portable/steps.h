// Scalar steps that the libraries share: a range tracker's, the plateau scheduler's, the factors of Adam's.
#ifndef HAST_STEPS_H
#define HAST_STEPS_H

#include <cmath>
#include <cstdint>

#include "portable.h"

namespace hast {

// quantize.h has the rules. Bit for bit the same in files that are compiled without contraction (EXACT_SOURCES).
HAST_PORTABLE inline void track_range(float* range, float* state, const float* batch, float momentum, int32_t rule) {
  const float t = state[2] * momentum;
  state[2] = t;
  for (int k = 0; k < 2; k++) {
    const float average = momentum * state[k] + (1.0f - momentum) * batch[k];
    range[k] = average / (1.0f - t);
    state[k] = rule == 0 ? average : range[k];
  }
}

// When a learning rate falls, and how far; optim.h has the rule.
struct Plateau {
  float factor, threshold, min_lr, epsilon;
  int32_t patience;
};

// In double from float32 state; a NaN loss is never better than the best, so it counts as bad.
HAST_PORTABLE inline void step_plateau(float* state, float loss, const Plateau& rule) {
  if (static_cast<double>(loss) < static_cast<double>(state[1]) * (1.0 - static_cast<double>(rule.threshold))) {
    state[1] = loss;
    state[2] = 0.0f;
  } else {
    state[2] += 1.0f;
  }
  if (state[2] > static_cast<float>(rule.patience)) {
    const double lowered = static_cast<double>(state[0]) * static_cast<double>(rule.factor);
    const double next = lowered > static_cast<double>(rule.min_lr) ? lowered : static_cast<double>(rule.min_lr);
    if (static_cast<double>(state[0]) - next > static_cast<double>(rule.epsilon)) state[0] = static_cast<float>(next);
    state[2] = 0.0f;
  }
}

// What Adam's step t multiplies with, in double and rounded once: lr / (1 - b1^t), 1 / sqrt(1 - b2^t), 1 - b.
HAST_PORTABLE inline float adam_rate(float lr, float beta1, int64_t t) {
  return static_cast<float>(static_cast<double>(lr) /
                            (1.0 - std::pow(static_cast<double>(beta1), static_cast<double>(t))));
}
HAST_PORTABLE inline float adam_inverse_root(float beta2, int64_t t) {
  return static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(static_cast<double>(beta2), static_cast<double>(t))));
}
HAST_PORTABLE inline float adam_rest(float beta) { return static_cast<float>(1.0 - static_cast<double>(beta)); }

}  // namespace hast

#endif

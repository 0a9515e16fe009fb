// Rows of a loss, shared among threads: fixed groups of rows, their sums in double added in order.
#ifndef HAST_LOSS_SUM_H
#define HAST_LOSS_SUM_H

#include "kernel.h"

namespace hast {

// NaN is passed over: it shows in the sums that use the result.
inline float row_max(const float* row, int64_t count) {
  float largest = row[0];
  for (int64_t j = 1; j < count; j++) largest = row[j] > largest ? row[j] : largest;
  return largest;
}

// Sum over the n rows of row_loss(row).
template <class Row>
double sum_rows(void* stream, int64_t n, int64_t row_elements, const Row& row_loss) {
  constexpr int64_t kGroups = 256;
  double partial[kGroups];
  const int64_t group = larger(ceil_div(n, kGroups), larger(1, 1024 / row_elements));
  const int64_t count = ceil_div(n, group);
  parallel_for(stream, count, [&](int64_t index) {
    double sum = 0.0;
    for (int64_t row = index * group; row < smaller(n, (index + 1) * group); row++) sum += row_loss(row);
    partial[index] = sum;
  });
  double sum = 0.0;
  for (int64_t index = 0; index < count; index++) sum += partial[index];
  return sum;
}

}  // namespace hast

#endif

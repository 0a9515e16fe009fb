// Matrix products of a linear layer.
//
//   y = x weight^T + bias;  dx = dy weight;  dweight = dy^T x, dbias = sum over n of dy
//
// Shapes: x [n, inputs], weight [outputs, inputs], y [n, outputs].
// Rounding: in float32, contraction allowed; gradients over at most 256 terms, those sums then added in order.
// Determinism: a sum is always in the same order, fixed by the sizes.
// Bytes: weight once for all samples; x once for each group of outputs.
//
// The forward pass takes dot products of rows, 4 samples by 2 outputs at a time; the gradients are one kernel,
// product[a, i] = sum_k left(k, a) right[k, i] with contiguous i, 4 rows by 32 columns in registers.
#include <hast/layer.h>

#include <cstring>

#include "kernel.h"
#include "portable/arguments/layer.h"
#include "vector.h"

namespace hast {
namespace {

HAST_INLINE Quad sum_quads(const Vector& v) {
  Half half[2];
  std::memcpy(half, &v, sizeof(Vector));
  half[0] += half[1];
  Quad quad[2];
  std::memcpy(quad, half, sizeof(Half));
  return quad[0] + quad[1];
}

// y[kRows, kOutputs] of one tile
template <int kRows, int kOutputs>
HAST_INLINE void dot_tile(float* y, const float* x, const float* weight, const float* bias, int64_t inputs,
                          int64_t outputs) {
  Vector sums[kRows][kOutputs] = {};
  int64_t k = 0;
  for (; k + kLanes <= inputs; k += kLanes) {
    Vector w[kOutputs];
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) load(w[o], weight + o * inputs + k);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      Vector v;
      load(v, x + r * inputs + k);
#pragma GCC unroll 4
      for (int o = 0; o < kOutputs; o++) sums[r][o] += v * w[o];
    }
  }
  Quad quads[kRows][kOutputs];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) quads[r][o] = sum_quads(sums[r][o]);
  }
  for (; k + 4 <= inputs; k += 4) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      Quad v;
      load(v, x + r * inputs + k);
#pragma GCC unroll 4
      for (int o = 0; o < kOutputs; o++) {
        Quad w;
        load(w, weight + o * inputs + k);
        quads[r][o] += v * w;
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) {
      const Quad q = quads[r][o];
      float sum = (q[0] + q[2]) + (q[1] + q[3]);
      for (int64_t i = k; i < inputs; i++) sum += x[r * inputs + i] * weight[o * inputs + i];
      y[r * outputs + o] = bias != nullptr ? sum + bias[o] : sum;
    }
  }
}

HAST_CLONES void forward_tile(float* y, const float* x, const float* weight, const float* bias, int64_t n,
                              int64_t inputs, int64_t outputs, int64_t first, int64_t last) {
  for (int64_t o = first; o < last;) {
    const bool pair = o + 2 <= last;
    const float* w = weight + o * inputs;
    const float* b = bias != nullptr ? bias + o : nullptr;
    int64_t r = 0;
    for (; r + 4 <= n; r += 4) {
      if (pair) {
        dot_tile<4, 2>(y + r * outputs + o, x + r * inputs, w, b, inputs, outputs);
      } else {
        dot_tile<4, 1>(y + r * outputs + o, x + r * inputs, w, b, inputs, outputs);
      }
    }
    for (; r < n; r++) {
      if (pair) {
        dot_tile<1, 2>(y + r * outputs + o, x + r * inputs, w, b, inputs, outputs);
      } else {
        dot_tile<1, 1>(y + r * outputs + o, x + r * inputs, w, b, inputs, outputs);
      }
    }
    o += pair ? 2 : 1;
  }
}

constexpr int64_t kTerms = 256;
constexpr int64_t kColumns = 32;

// product[a, i] = sum_k left[a * left_row + k * left_term] right[k * columns + i]
struct Product {
  float* product;
  const float *left, *right;
  int64_t rows, columns, terms, left_row, left_term;
};

// kRows rows by kCount vectors, in registers
template <int kRows, class Lanes, int kCount>
HAST_INLINE void product_block(const Product& job, int64_t row, int64_t column) {
  constexpr int64_t lanes = sizeof(Lanes) / sizeof(float);
  Lanes totals[kRows][kCount] = {};
  for (int64_t begin = 0; begin < job.terms; begin += kTerms) {
    Lanes sums[kRows][kCount] = {};
    const int64_t end = begin + kTerms < job.terms ? begin + kTerms : job.terms;
    const float* left = job.left + row * job.left_row + begin * job.left_term;
    const float* right = job.right + begin * job.columns + column;
    for (int64_t k = begin; k < end; k++) {
      Lanes v[kCount];
#pragma GCC unroll 2
      for (int i = 0; i < kCount; i++) load(v[i], right + i * lanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
        for (int i = 0; i < kCount; i++) sums[r][i] += left[r * job.left_row] * v[i];
      }
      left += job.left_term;
      right += job.columns;
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
      for (int i = 0; i < kCount; i++) totals[r][i] += sums[r][i];
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
    for (int i = 0; i < kCount; i++) {
      store(job.product + (row + r) * job.columns + column + i * lanes, totals[r][i]);
    }
  }
}

template <int kRows>
HAST_INLINE void product_rows(const Product& job, int64_t row, int64_t column, int64_t width) {
  if (width >= 32) {
    product_block<kRows, Vector, 2>(job, row, column);
    return;
  }
  if (width >= 16) {
    product_block<kRows, Vector, 1>(job, row, column);
    column += 16;
    width -= 16;
  }
  if (width >= 8) {
    product_block<kRows, Half, 1>(job, row, column);
    column += 8;
    width -= 8;
  }
  if (width >= 4) {
    product_block<kRows, Quad, 1>(job, row, column);
    column += 4;
    width -= 4;
  }
  for (; width > 0; width--) product_block<kRows, float, 1>(job, row, column++);
}

HAST_CLONES void product_piece(const Product& job, int64_t first, int64_t last, int64_t column, int64_t width) {
  int64_t row = first;
  for (; row + 4 <= last; row += 4) product_rows<4>(job, row, column, width);
  for (; row < last; row++) product_rows<1>(job, row, column, width);
}

void multiply(const Product& job, void* stream) {
  const int64_t rows = 4 * larger(1, smaller(64, 1024 / job.terms));
  const int64_t row_pieces = ceil_div(job.rows, rows);
  const int64_t column_pieces = ceil_div(job.columns, kColumns);
  parallel_for(stream, row_pieces * column_pieces, [&](int64_t piece) {
    const int64_t row = piece / column_pieces * rows;
    const int64_t column = piece % column_pieces * kColumns;
    product_piece(job, row, smaller(job.rows, row + rows), column, smaller(kColumns, job.columns - column));
  });
}

HAST_CLONES void sum_columns(float* sums, const float* dy, int64_t n, int64_t outputs, int64_t first, int64_t width) {
  for (int64_t i = 0; i < width; i++) sums[first + i] = 0.0f;
  for (int64_t row = 0; row < n; row++) {
    HAST_INDEPENDENT
    for (int64_t i = 0; i < width; i++) sums[first + i] += dy[row * outputs + first + i];
  }
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_linear_fwd_f32(float* y, const float* x, const float* weight, const float* bias, int64_t n, int64_t inputs,
                            int64_t outputs, void* stream) noexcept {
  if (!valid::linear(y, x, weight, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  // A piece is a few outputs for all samples: its weights stay in the cache.
  const int64_t group = larger(2, smaller(64, 65536 / (inputs * n)) / 2 * 2);
  parallel_for(stream, ceil_div(outputs, group), [&](int64_t piece) {
    forward_tile(y, x, weight, bias, n, inputs, outputs, piece * group, smaller(outputs, (piece + 1) * group));
  });
  return HAST_OK;
}

int32_t hast_linear_bwd_data_f32(float* dx, const float* dy, const float* weight, int64_t n, int64_t inputs,
                                 int64_t outputs, void* stream) noexcept {
  if (!valid::linear(dx, dy, weight, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  multiply({dx, dy, weight, n, inputs, outputs, outputs, 1}, stream);
  return HAST_OK;
}

int32_t hast_linear_bwd_weight_f32(float* dweight, float* dbias, const float* dy, const float* x, int64_t n,
                                   int64_t inputs, int64_t outputs, void* stream) noexcept {
  if (!valid::linear(dweight, dy, x, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  multiply({dweight, dy, x, outputs, inputs, n, 1, outputs}, stream);
  if (dbias != nullptr) {
    parallel_for(stream, ceil_div(outputs, 512), [&](int64_t piece) {
      sum_columns(dbias, dy, n, outputs, piece * 512, smaller(512, outputs - piece * 512));
    });
  }
  return HAST_OK;
}

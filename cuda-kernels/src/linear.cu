// y = x weight^T + bias and its two gradients.
//
// Shapes: x [n, inputs], weight [outputs, inputs], y [n, outputs]; float32 products and sums in every math mode (the
// layer is a classifier's last, a few percent of a network). Each is one product of product.cuh, which says how the
// work is divided and in which order sums are taken; dbias comes from the blocks of the weight gradient that hold dy in
// shared memory anyway. A batch has few tiles of the usual size, which would leave most of a GPU idle for as long as a
// thousand terms take, one after the other: y and dx then come from small tiles whose blocks divide the depth among
// groups of threads. Deterministic. Memory traffic: 4 bytes for each value of the three matrices, and again from the L2
// cache one factor for each tile of the other.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "product.cuh"

using namespace hast;

namespace {

// Matrices whose rows, or whose columns, are the lines of the product.
using Rows = Matrix<Along::kDepth>;
using Columns = Matrix<Along::kLines>;

// When the depth is divided.
constexpr int64_t kMostTiles = 32, kLeastDepth = 128;

template <class Left, class Right>
int32_t multiply_divided(const Product& p, const Left& left, const Right& right, const Stream& stream) {
  const ProductTile tile = product_tile(p.columns);
  const int64_t tiles = ceil_div(p.rows, tile.rows) * ceil_div(p.columns, tile.columns);
  return tiles <= kMostTiles && p.depth >= kLeastDepth ? multiply_tiles<16, 16, 16>(p, left, right, stream)
                                                       : multiply(p, left, right, stream);
}

Product product_of(float* out, int64_t rows, int64_t columns, int64_t depth) {
  Product p{};
  p.out = out;
  p.row_step = columns;
  p.column_step = 1;
  p.rows = static_cast<int>(rows);
  p.columns = static_cast<int>(columns);
  p.depth = static_cast<int>(depth);
  p.part = p.depth;
  return p;
}

}  // namespace

int32_t hast_linear_fwd_f32(float* y, const float* x, const float* weight, const float* bias, int64_t n, int64_t inputs,
                            int64_t outputs, void* stream) noexcept {
  if (!valid::linear(y, x, weight, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  if (larger(n, larger(inputs, outputs)) > kMostLines) return HAST_EUNSUPPORTED;
  Product p = product_of(y, n, outputs, inputs);
  p.bias = bias;
  return multiply_divided(p, Rows{x, inputs, 1}, Rows{weight, inputs, 1}, stream_of(stream));
}

int32_t hast_linear_bwd_data_f32(float* dx, const float* dy, const float* weight, int64_t n, int64_t inputs,
                                 int64_t outputs, void* stream) noexcept {
  if (!valid::linear(dx, dy, weight, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  if (larger(n, larger(inputs, outputs)) > kMostLines) return HAST_EUNSUPPORTED;
  return multiply_divided(product_of(dx, n, inputs, outputs), Rows{dy, outputs, 1}, Columns{weight, 1, inputs},
                          stream_of(stream));
}

int32_t hast_linear_bwd_weight_f32(float* dweight, float* dbias, const float* dy, const float* x, int64_t n,
                                   int64_t inputs, int64_t outputs, void* stream) noexcept {
  if (!valid::linear(dweight, dy, x, n, inputs, outputs, stream)) return HAST_EARGUMENT;
  if (larger(n, larger(inputs, outputs)) > kMostLines) return HAST_EUNSUPPORTED;
  // Rows are inputs: there are more of them than outputs, which may be as few as ten.
  Product p = product_of(dweight, inputs, outputs, n);
  p.row_step = 1;
  p.column_step = inputs;
  p.right_sums = dbias;
  return multiply(p, Columns{x, 1, inputs}, Columns{dy, 1, outputs}, stream_of(stream));
}

// Weight gradient of the convolution.
//
//   dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n, i stride + u - pad, j stride + v - pad, c]
//
// Shapes: dy [n,p,q,k], x [n,h,w,c], dweight [k,r,s,c]. A product of matrices with a term for every pixel of y. There
// are many pixels and few weights, so the pixels are cut into parts (how many depends on the sizes alone), each with
// its own partial sums in the workspace, and a second launch adds these in the order of the parts. Float32 products and
// sums by product.cuh, for any shape. Deterministic.
#include "conv2d.cuh"

using namespace hast;

namespace {

// A workspace size includes the bytes that align it.
constexpr int64_t kAlignment = 16;
// Blocks wanted: two for each multiprocessor of a large device.
constexpr int64_t kBlocks = 264;
// Fewer pixels are not worth a block; more in one float32 sum would lose digits.
constexpr int64_t kLeastPixels = 128, kMostPixels = 16384;

struct Parts {
  int64_t count, pixels;
};

// Parts of about equal size for so many output tiles.
Parts parts_for(const Conv& g, int64_t tiles) {
  const int64_t pixels = g.pixels_out();
  const int64_t wanted = larger(kBlocks / tiles, ceil_div(pixels, kMostPixels));
  const int64_t count = larger(1, smaller(wanted, pixels / kLeastPixels));
  const int64_t each = ceil_div(ceil_div(pixels, count), kDepth) * kDepth;
  return {ceil_div(pixels, each), each};
}

Parts product_parts(const Conv& g) {
  const ProductTile tile = product_tile(g.k);
  return parts_for(g, ceil_div(g.r * g.s * g.c, tile.rows) * ceil_div(g.k, tile.columns));
}

// dweight[i] = sum over the parts, in their order
__global__ void add_parts(float* dweight, const float* partial, int64_t weights, int64_t parts) {
  for (int64_t i = first_item(); i < weights; i += item_step()) {
    float sum = partial[i];
#pragma unroll 8
    for (int64_t part = 1; part < parts; part++) sum += partial[part * weights + i];
    dweight[i] = sum;
  }
}

}  // namespace

int64_t hast::conv2d_bwd_weight_bytes(const Conv& g) {
  const int64_t parts = product_parts(g).count;
  return parts == 1 ? 0 : kAlignment + parts * g.weights() * static_cast<int64_t>(sizeof(float));
}

int32_t hast_conv2d_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                   int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                   int64_t r, int64_t s, int32_t stride, int32_t pad, void* stream) noexcept {
  const Conv g(n, h, w, c, k, r, s, stride, pad);
  if (any_null(dweight, dy, x, static_cast<char*>(stream)) || !g.valid()) return HAST_EARGUMENT;
  if (!g.countable()) return HAST_EUNSUPPORTED;
  const int64_t needed = conv2d_bwd_weight_bytes(g);
  if (needed > 0 && (workspace == nullptr || workspace_bytes < needed)) return HAST_EWORKSPACE;
  float* partial =
      reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(workspace) + kAlignment - 1) & ~uintptr_t{kAlignment - 1});
  const Stream& on = stream_of(stream);
  const Parts parts = product_parts(g);
  Product p{};
  p.out = parts.count == 1 ? dweight : partial;
  // Rows are the filter's positions: there are more of them than output channels.
  p.row_step = 1;
  p.column_step = r * s * c;
  p.part_step = g.weights();
  p.rows = static_cast<int>(r * s * c);
  p.columns = static_cast<int>(k);
  p.depth = static_cast<int>(g.pixels_out());
  p.part = static_cast<int>(parts.pixels);
  const int32_t status = multiply(p, PatchColumns{Patches(x, g)}, Matrix<Along::kLines>{dy, 1, k}, on);
  if (status != HAST_OK || parts.count == 1) return status;
  return launch(add_parts, blocks_for(g.weights(), on), kThreads, 0, on, dweight, partial, g.weights(), parts.count);
}

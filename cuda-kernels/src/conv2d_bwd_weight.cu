// Weight gradient of the convolution.
//
//   dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n,a,b,c']
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left, c' channel c of the group of o
//
// Shapes: dy [n,p,q,k], x [n,h,w,c], dweight [k,r,s,c/groups]. There are many pixels and few weights, so the pixels are
// cut into parts (how many depends on the sizes alone), each with its own partial sums in the workspace, and a second
// launch adds these in an order fixed by their number. Deterministic.
//
// 3x3 kernels and 1x1 without padding: a block of six warps computes 16 or 32 output channels x 16 input channels of a
// group (fewer where it has not as many) x all taps over one part. It goes through the part a tile of pixels at a time;
// a stage holds their dy and the range of x that they read (conv2d_reach.cuh), and the copies of the next stage run
// while this one is multiplied. A warp has one row of the kernel and every second (1x1: sixth) eight of the pixels; at
// the end the groups' sums are added in order. Under HAST_MATH_TF32 whoever copied a value also rounds it, once, in
// place, and the products are mma.m16n8k8, the pixels being the terms; under HAST_MATH_FP32 they are multiply-adds over
// the same tables, each thread having the same weights. Row g of a product of 16 output channels is channel 2g, row g +
// 8 channel 2g + 1, and column n of the two products of 16 input channels is channel 2n in the first, 2n + 1 in the
// second: tensor cores get their factors by reads of 8 bytes, and every write is 16. Memory traffic: 4 bytes for each
// value of x and dy, 8 for each weight of each part; again from the L2 cache dy for each 16 input channels, and x for
// each 32 output channels and for the rows that tiles share.
//
// Banks. Reads by half-warps of pixels t in 0..3 and pairs of channels 2g meet each bank once when neighbouring pixels
// lie 8 or 24 banks apart: dy in rows of 16 or 32 channels + 8, x in rows of 24 floats with step 1, 20 with step 2.
//
// Any other shape: a product of matrices with a term for every pixel, float32 by product.cuh.
#include <hast/device.h>

#include "conv2d_reach.cuh"

using namespace hast;

namespace {

// A workspace size includes the bytes that align it.
constexpr int64_t kAlignment = 16;
// Blocks wanted: two for each multiprocessor of a large device.
constexpr int64_t kBlocks = 264;
// Fewer pixels are not worth a block; more in one float32 sum would lose digits.
constexpr int64_t kLeastPixels = 128, kMostPixels = 16384;
// A part is a multiple of this, the largest tile of pixels.
constexpr int64_t kPixelGrain = 128;

struct Parts {
  int64_t count, pixels;
};

// Parts of about equal size for so many output tiles.
Parts parts_for(const Conv& g, int64_t tiles) {
  const int64_t pixels = g.pixels_out();
  const int64_t wanted = larger(kBlocks / tiles, ceil_div(pixels, kMostPixels));
  const int64_t count = larger(1, smaller(wanted, pixels / kLeastPixels));
  const int64_t each = ceil_div(ceil_div(pixels, count), kPixelGrain) * kPixelGrain;
  return {ceil_div(pixels, each), each};
}

// ---- any shape ----

Parts product_parts(const Conv& g) {
  const ProductTile tile = product_tile(g.group_k());
  const int64_t tiles = ceil_div(g.r * g.s * g.group_c(), tile.rows) * ceil_div(g.group_k(), tile.columns);
  return parts_for(g, tiles * g.groups);
}

int32_t product_gradient(float* dweight, const float* dy, const float* x, const Conv& g, const Parts& parts,
                         const Stream& stream) {
  const int64_t filter = g.r * g.s * g.group_c();
  if (parts.count > kMostPlanes / g.groups) return HAST_EUNSUPPORTED;
  Product p{};
  p.out = dweight;
  // Rows are the filter's positions: there are more of them than output channels.
  p.row_step = 1;
  p.column_step = filter;
  p.part_step = g.weights();
  p.rows = static_cast<int>(filter);
  p.columns = static_cast<int>(g.group_k());
  p.groups = static_cast<int>(g.groups);
  p.group_step = g.group_k() * filter;
  p.depth = static_cast<int>(g.pixels_out());
  p.part = static_cast<int>(parts.pixels);
  return multiply(p, PatchColumns{Patches(x, g)}, GroupMatrix<Along::kLines>{{dy, 1, g.k}, g.group_k()}, stream);
}

// ---- by taps ----

constexpr int kGradientWarps = 6;
constexpr int kGradientThreads = kGradientWarps * kWarp;
constexpr int kInputs = 16;  // input channels of a block
constexpr int kTerms = 8;    // pixels of a product

struct GradientProblem {
  float* out;  // part 0's weights
  const float* dy;
  const float* x;
  Reach reach;
  int inputs, outputs;  // of a group
  int input_tiles;      // of a group
  int x_step, dy_step;  // from pixel to pixel
  int64_t part_step;    // from one part's weights to the next
  int part;             // pixels of one
  int tile;             // pixels of a stage
  int table_rows;       // at most, of x
  int pixel_floats;     // from one of them to the next in shared memory
  bool wide_dy, wide_x, wide_out;
};

template <bool kTensorCores, int kKernelSize, int kMTilesOfWarp>
struct GradientTile {
  static constexpr bool kTf32 = kTensorCores;
  static constexpr int kSize = kKernelSize;      // taps of a warp, too
  static constexpr int kMTiles = kMTilesOfWarp;  // products of 16 output channels
  static constexpr int kGroups = kGradientWarps / kSize;
  static constexpr int kOutputs = 16 * kMTiles;
  static constexpr int kDyStep = kOutputs + 8;
  static constexpr int kSums = kMTiles * kSize * 8;  // of a thread
};

// Where a pixel of a stage finds x: floats into the table, and a bit for each tap that it has.
struct alignas(8) PixelRow {
  int at;
  unsigned present;
};

// A stage: the pixels' rows, dy, x.
template <class T>
struct GradientStage {
  PixelRow* rows;
  float* dy;
  float* x;
  __device__ GradientStage(float* shared, const GradientProblem& p)
      : rows(reinterpret_cast<PixelRow*>(shared)), dy(shared + 2 * p.tile), x(dy + p.tile * T::kDyStep) {}
  static __host__ __device__ int floats(int tile, int table_rows, int pixel_floats) {
    return tile * (2 + T::kDyStep) + table_rows * pixel_floats;
  }
};

template <class T, class Item, int kWide>
__device__ void dy_items(const GradientProblem& p, int group, float* dy, int first, int end, int output) {
  constexpr int kPieces = T::kOutputs / kWide;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < p.tile * kPieces; i += kGradientThreads) {
    const int piece = i % kPieces * kWide, row = T::kOutputs == 16 ? spread_row<2, 2>(i / kPieces) : i / kPieces;
    // A pixel beyond the end counts nothing: zeros, for zero times what happens to lie there may be NaN.
    const bool present = first + row < end && output + piece < p.outputs;
    const int64_t at = int64_t{first + row} * p.dy_step + group * p.outputs + output + piece;
    Item::template apply<kWide>(dy + row * T::kDyStep + piece, p.dy + (present ? at : 0), present);
  }
}

template <class Item, int kWide>
__device__ void x_items(const GradientProblem& p, int group, float* x, int first, const Range& range, int input) {
  constexpr int kPieces = kInputs / kWide;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < spread_rows(range.count) * kPieces; i += kGradientThreads) {
    const int piece = i % kPieces * kWide;
    const int row = p.pixel_floats == kInputs + 8 ? spread_row<2, 2>(i / kPieces) : spread_row<4, 2>(i / kPieces);
    if (row >= range.count) continue;
    const bool present = input + piece < p.inputs;
    const int64_t pixel = p.reach.single() ? p.reach.base(first + row) : range.start + row;
    const int64_t at = pixel * p.x_step + group * p.inputs + input + piece;
    Item::template apply<kWide>(x + row * p.pixel_floats + piece, p.x + (present ? at : 0), present);
  }
}

template <class T, class Item>
__device__ void stage_items(const GradientProblem& p, int group, const GradientStage<T>& stage, int first, int end,
                            const Range& range, int output, int input) {
  if (p.wide_dy) {
    dy_items<T, Item, 4>(p, group, stage.dy, first, end, output);
  } else {
    dy_items<T, Item, 1>(p, group, stage.dy, first, end, output);
  }
  if (p.wide_x) {
    x_items<Item, 4>(p, group, stage.x, first, range, input);
  } else {
    x_items<Item, 1>(p, group, stage.x, first, range, input);
  }
}

// Starts the copies of the pixels from `first` on and writes where they find x.
template <class T>
__device__ void begin_stage(const GradientProblem& p, int group, const GradientStage<T>& stage, int first, int end,
                            int output, int input) {
  const Range range(p.reach, first, min(first + p.tile, end));
  stage_items<T, CopyItem>(p, group, stage, first, end, range, output, input);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < p.tile; i += kGradientThreads) {
    const int m = first + i;
    PixelRow row{0, 0};
    if (m < end) {
      row.at = (p.reach.single() ? i : p.reach.base(m) - range.start) * p.pixel_floats;
      row.present = p.reach.present(m);
    }
    stage.rows[i] = row;
  }
}

// sums[i][v][e] of tap v; [2 b + r] of lane 4 g + t is output channel 16 i + 2 g + b, input channel 4 t + 2 r + e.
template <class T>
using GradientSums = float[T::kMTiles][T::kSize][2][4];

// sums += the products of eight pixels from `pixel` on.
template <class T>
__device__ void multiply_pixels_tf32(GradientSums<T>& sums, const GradientProblem& p, const GradientStage<T>& stage,
                                     const float* zeros, int kernel_row, int pixel) {
  const int g = static_cast<int>(threadIdx.x) % kWarp / 4, t = static_cast<int>(threadIdx.x) % 4;
  float a[T::kMTiles][4];
#pragma unroll
  for (int i = 0; i < T::kMTiles; i++) {
    const float* dy = stage.dy + (pixel + t) * T::kDyStep + 16 * i + 2 * g;
    const float2 near = *reinterpret_cast<const float2*>(dy);
    const float2 far = *reinterpret_cast<const float2*>(dy + 4 * T::kDyStep);
    a[i][0] = near.x;
    a[i][1] = near.y;
    a[i][2] = far.x;
    a[i][3] = far.y;
  }
  const PixelRow near_row = stage.rows[pixel + t], far_row = stage.rows[pixel + t + 4];
#pragma unroll
  for (int v = 0; v < T::kSize; v++) {
    const int tap = kernel_row * T::kSize + v;
    const int offset = p.reach.single() ? 0 : p.reach.offset(tap) * p.pixel_floats;
    const float* near = (near_row.present >> tap & 1) != 0 ? stage.x + (near_row.at + offset) : zeros;
    const float* far = (far_row.present >> tap & 1) != 0 ? stage.x + (far_row.at + offset) : zeros;
    const float2 first = *reinterpret_cast<const float2*>(near + 2 * g);
    const float2 second = *reinterpret_cast<const float2*>(far + 2 * g);
    const float even[2] = {first.x, second.x}, odd[2] = {first.y, second.y};
#pragma unroll
    for (int i = 0; i < T::kMTiles; i++) {
      mma_tf32(sums[i][v][0], a[i], even);
      mma_tf32(sums[i][v][1], a[i], odd);
    }
  }
}

// The same in float32.
template <class T>
__device__ void multiply_pixels_fp32(GradientSums<T>& sums, const GradientProblem& p, const GradientStage<T>& stage,
                                     const float* zeros, int kernel_row, int pixel) {
  const int g = static_cast<int>(threadIdx.x) % kWarp / 4, t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll 2
  for (int k = 0; k < kTerms; k++) {
    float2 a[T::kMTiles];
#pragma unroll
    for (int i = 0; i < T::kMTiles; i++) {
      a[i] = *reinterpret_cast<const float2*>(stage.dy + (pixel + k) * T::kDyStep + 16 * i + 2 * g);
    }
    const PixelRow row = stage.rows[pixel + k];
#pragma unroll
    for (int v = 0; v < T::kSize; v++) {
      const int tap = kernel_row * T::kSize + v;
      const int offset = p.reach.single() ? 0 : p.reach.offset(tap) * p.pixel_floats;
      const float* from = (row.present >> tap & 1) != 0 ? stage.x + (row.at + offset) : zeros;
      const float4 four = *reinterpret_cast<const float4*>(from + 4 * t);
      const float b[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int i = 0; i < T::kMTiles; i++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float(&sum)[4] = sums[i][v][e % 2];
          sum[e / 2] = fmaf(a[i].x, b[e], sum[e / 2]);
          sum[2 + e / 2] = fmaf(a[i].y, b[e], sum[2 + e / 2]);
        }
      }
    }
  }
}

// Adds the other groups' sums to those of group 0, in order.
template <class T>
__device__ void gather_groups(GradientSums<T>& sums, float* shared, int group, int thread_of_group) {
  constexpr int kThreadsOfGroup = T::kSize * kWarp;
  float(&flat)[T::kSums] = reinterpret_cast<float(&)[T::kSums]>(sums);
  for (int other = 1; other < T::kGroups; other++) {
    __syncthreads();
    if (group == other) {
#pragma unroll
      for (int i = 0; i < T::kSums; i++) shared[i * kThreadsOfGroup + thread_of_group] = flat[i];
    }
    __syncthreads();
    if (group == 0) {
#pragma unroll
      for (int i = 0; i < T::kSums; i++) flat[i] += shared[i * kThreadsOfGroup + thread_of_group];
    }
  }
}

template <class T>
__device__ void write_gradient(const GradientProblem& p, const GradientSums<T>& sums, float* out, int kernel_row,
                               int output, int input) {
  const int g = static_cast<int>(threadIdx.x) % kWarp / 4, t = static_cast<int>(threadIdx.x) % 4;
  const int channel = input + 4 * t;
  if (channel >= p.inputs) return;
#pragma unroll
  for (int i = 0; i < T::kMTiles; i++) {
#pragma unroll
    for (int b = 0; b < 2; b++) {
      const int o = output + 16 * i + 2 * g + b;
      if (o >= p.outputs) continue;
#pragma unroll
      for (int v = 0; v < T::kSize; v++) {
        const float(&even)[4] = sums[i][v][0];
        const float(&odd)[4] = sums[i][v][1];
        const float four[4] = {even[2 * b], odd[2 * b], even[2 * b + 1], odd[2 * b + 1]};
        float* to = out + (int64_t{o} * (T::kSize * T::kSize) + kernel_row * T::kSize + v) * p.inputs + channel;
        if (p.wide_out) {
          store4(to, make_float4(four[0], four[1], four[2], four[3]));
        } else {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            if (channel + e < p.inputs) to[e] = four[e];
          }
        }
      }
    }
  }
}

// blockIdx: part, tile of output channels, group and tile of input channels.
template <class T>
__global__ void __launch_bounds__(kGradientThreads, 3) gradient_kernel(const GradientProblem p) {
  HAST_DYNAMIC_SHARED(float, shared);
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / kWarp, kernel_row = warp % T::kSize, group = warp / T::kSize;
  // The convolution's group; `group` is one of warps.
  const int channels = static_cast<int>(blockIdx.z) / p.input_tiles;
  const int output = static_cast<int>(blockIdx.y) * T::kOutputs;
  const int input = (static_cast<int>(blockIdx.z) - channels * p.input_tiles) * kInputs;
  const int first = static_cast<int>(blockIdx.x) * p.part;
  const int end = static_cast<int>(smaller(int64_t{first} + p.part, p.reach.pixels));
  float* const zeros = shared;
  float* const stages = zeros + kInputs;
  const int stage_floats = GradientStage<T>::floats(p.tile, p.table_rows, p.pixel_floats);
  if (thread < kInputs) zeros[thread] = 0.0f;

  GradientSums<T> sums = {};
  int current = 0;
  begin_stage<T>(p, channels, GradientStage<T>(stages, p), first, end, output, input);
  for (int tile = first; tile < end; tile += p.tile, current ^= 1) {
    const GradientStage<T> stage(stages + current * stage_floats, p);
    copies_wait();
    if constexpr (T::kTf32) {
      const Range range(p.reach, tile, min(tile + p.tile, end));
      stage_items<T, RoundItem>(p, channels, stage, tile, end, range, output, input);
    }
    __syncthreads();
    // Every thread is done with the other stage.
    if (tile + p.tile < end) {
      begin_stage<T>(p, channels, GradientStage<T>(stages + (current ^ 1) * stage_floats, p), tile + p.tile, end,
                     output, input);
    }
#pragma unroll 1
    for (int pixel = group * kTerms; pixel < p.tile; pixel += T::kGroups * kTerms) {
      if constexpr (T::kTf32) {
        multiply_pixels_tf32<T>(sums, p, stage, zeros, kernel_row, pixel);
      } else {
        multiply_pixels_fp32<T>(sums, p, stage, zeros, kernel_row, pixel);
      }
    }
  }
  gather_groups<T>(sums, stages, group, thread % (T::kSize * kWarp));
  if (group == 0) {
    float* out = p.out + blockIdx.x * p.part_step + int64_t{channels} * p.outputs * (T::kSize * T::kSize) * p.inputs;
    write_gradient<T>(p, sums, out, kernel_row, output, input);
  }
}

bool goes_by_taps(const Conv& g) {
  const bool padded = g.padded_h() > g.h || g.padded_w() > g.w;
  return g.r == g.s && (g.r == 3 || (g.r == 1 && !padded));
}

// Products of 16 output channels in a block.
int m_tiles(const Conv& g) { return g.group_k() <= 16 ? 1 : 2; }

Parts tap_parts(const Conv& g) {
  return parts_for(g, ceil_div(g.group_k(), 16 * m_tiles(g)) * ceil_div(g.group_c(), kInputs) * g.groups);
}

// False: the shape does not fit, nothing is launched.
template <class T>
bool launch_gradient(GradientProblem& p, int groups, const Parts& parts, const Stream& stream, int32_t& status) {
  // Three blocks on a multiprocessor with 228 KiB, if such a tile exists.
  constexpr int64_t kWantedBytes = 75 * 1024;
  const auto bytes = [&](int tile) {
    const int64_t stages =
        2 * GradientStage<T>::floats(tile, static_cast<int>(p.reach.table_rows(tile)), p.pixel_floats);
    return 4 * (kInputs + larger(stages, T::kSums * T::kSize * kWarp));
  };
  p.tile = kPixelGrain;
  while (p.tile > 32 && bytes(p.tile) > kWantedBytes) p.tile /= 2;
  if (bytes(p.tile) > stream.shared_bytes) return false;
  p.table_rows = static_cast<int>(p.reach.table_rows(p.tile));
  const dim3 grid(static_cast<unsigned>(parts.count), static_cast<unsigned>(ceil_div(p.outputs, T::kOutputs)),
                  static_cast<unsigned>(p.input_tiles * groups));
  status = launch(gradient_kernel<T>, grid, kGradientThreads, static_cast<size_t>(bytes(p.tile)), stream, p);
  return true;
}

template <bool kTf32, int kSize>
bool launch_gradient(GradientProblem& p, const Conv& g, const Parts& parts, const Stream& stream, int32_t& status) {
  return m_tiles(g) == 1
             ? launch_gradient<GradientTile<kTf32, kSize, 1>>(p, static_cast<int>(g.groups), parts, stream, status)
             : launch_gradient<GradientTile<kTf32, kSize, 2>>(p, static_cast<int>(g.groups), parts, stream, status);
}

bool tap_gradient(float* dweight, const float* dy, const float* x, const Conv& g, const Parts& parts,
                  const Stream& stream, int32_t& status) {
  if (!goes_by_taps(g)) return false;
  GradientProblem p{};
  p.out = dweight;
  p.dy = dy;
  p.x = x;
  p.reach = forward_reach(g);
  if (!p.reach.usable()) return false;
  p.inputs = static_cast<int>(g.group_c());
  p.outputs = static_cast<int>(g.group_k());
  p.input_tiles = static_cast<int>(ceil_div(p.inputs, kInputs));
  p.x_step = static_cast<int>(g.c);
  p.dy_step = static_cast<int>(g.k);
  p.part_step = g.weights();
  p.part = static_cast<int>(parts.pixels);
  p.pixel_floats = g.stride_w == 1 || p.reach.single() ? kInputs + 8 : kInputs + 4;
  p.wide_dy = p.outputs % 4 == 0 && aligned16(dy);
  p.wide_x = p.inputs % 4 == 0 && aligned16(x);
  p.wide_out = p.inputs % 4 == 0 && aligned16(dweight);
  if (stream.math == HAST_MATH_TF32) {
    return g.r == 3 ? launch_gradient<true, 3>(p, g, parts, stream, status)
                    : launch_gradient<true, 1>(p, g, parts, stream, status);
  }
  return g.r == 3 ? launch_gradient<false, 3>(p, g, parts, stream, status)
                  : launch_gradient<false, 1>(p, g, parts, stream, status);
}

// ---- adding the parts ----

constexpr int kLanesOfParts = static_cast<int>(kThreads) / kWarp;

// dweight[i] = sum over the parts. A block has 32 weights; warp l adds parts l, l + 8, .. in order, then the warps'
// sums are added in order.
__global__ void __launch_bounds__(kThreads)
    add_parts(float* dweight, const float* partial, int64_t weights, int64_t parts) {
  HAST_DYNAMIC_SHARED(float, sums);
  const int column = static_cast<int>(threadIdx.x) % kWarp, lane = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t weight = int64_t{blockIdx.x} * kWarp + column;
  float sum = 0.0f;
  if (weight < weights) {
#pragma unroll 8
    for (int64_t part = lane; part < parts; part += kLanesOfParts) sum += partial[part * weights + weight];
  }
  sums[lane * kWarp + column] = sum;
  __syncthreads();
  if (lane != 0 || weight >= weights) return;
  for (int l = 1; l < kLanesOfParts; l++) sum += sums[l * kWarp + column];
  dweight[weight] = sum;
}

// Most parts that a call may use; which way it goes depends on the device as well.
int64_t most_parts(const Conv& g) { return larger(product_parts(g).count, goes_by_taps(g) ? tap_parts(g).count : 1); }

}  // namespace

int64_t hast::conv2d_bwd_weight_bytes(const Conv& g) {
  const int64_t parts = most_parts(g);
  return parts == 1 ? 0 : kAlignment + parts * g.weights() * static_cast<int64_t>(sizeof(float));
}

int32_t hast_conv2d_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                   int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                   int64_t r, int64_t s, int32_t groups, const int32_t* window, void* stream) noexcept {
  const Conv g({n, h, w, c, k, r, s, groups, window});
  if (!valid::convolution(dweight, dy, x, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostLines) || groups > kMostGroups) return HAST_EUNSUPPORTED;
  const int64_t needed = conv2d_bwd_weight_bytes(g);
  if (lacks(workspace, workspace_bytes, needed)) return HAST_EWORKSPACE;
  float* partial =
      reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(workspace) + kAlignment - 1) & ~uintptr_t{kAlignment - 1});
  const Stream& on = stream_of(stream);
  int32_t status = HAST_OK;
  Parts parts = tap_parts(g);
  if (!tap_gradient(parts.count == 1 ? dweight : partial, dy, x, g, parts, on, status)) {
    parts = product_parts(g);
    status = product_gradient(parts.count == 1 ? dweight : partial, dy, x, g, parts, on);
  }
  if (status != HAST_OK || parts.count == 1) return status;
  return launch(add_parts, static_cast<unsigned>(ceil_div(g.weights(), kWarp)), kThreads, kThreads * sizeof(float), on,
                dweight, partial, g.weights(), parts.count);
}

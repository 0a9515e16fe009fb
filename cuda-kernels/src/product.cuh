// A matrix product in float32, its factors read through views: what linear layers and the general convolution are.
//
//   out[m row_step + n column_step] (+)= bias[n] + sum_d left(m, d) right(n, d)
//
// A block computes kRows x kColumns outputs with 256 threads, each 4 rows of 4 (or 2) columns in
// registers. Slices of kDepth terms pass through shared memory, depth-major, in two buffers: the next slice is on its
// way in registers while this one is multiplied. Terms are added in the order of d, and by fused multiply-add, so a
// result depends on nothing but the sizes. blockIdx.z takes one part of the depth and has its own output.
#ifndef HAST_PRODUCT_CUH
#define HAST_PRODUCT_CUH

#include "kernel.cuh"

namespace hast {

// A view's lines are the rows of the left factor, the columns of the right one. Neighbouring threads read along what
// lies side by side in memory: the terms of a line, or lines at one depth.
enum class Along { kDepth, kLines };

// A dense matrix as a factor.
template <Along kDirection>
struct Matrix {
  static constexpr Along kAlong = kDirection;
  const float* data;
  int64_t line_step, depth_step;
  __device__ float at(int line, int depth) const { return data[line * line_step + depth * depth_step]; }
};

struct Product {
  float* out;
  const float* bias;  // or null
  float* right_sums;  // or null; [columns], sums of right(n, d) over d
  int64_t row_step, column_step;
  int64_t part_step;  // from one part's output to the next
  int rows, columns, depth;
  int part;  // terms of one part of the depth
  bool accumulate;
};

constexpr int kDepth = 16;

// A thread's share of kLines x kDepth values of a view, on the way to shared memory.
template <class View, int kLines>
struct Slice {
  static constexpr int kItems = kLines * kDepth / static_cast<int>(kThreads);
  // A row of shared memory stays a multiple of 16 bytes. Storing along the depth meets every bank twice.
  static constexpr int kStep = kLines + 4;
  static constexpr int kFloats = kDepth * kStep;
  float values[kItems];

  static __device__ int line(int i) {
    const int t = static_cast<int>(threadIdx.x);
    return View::kAlong == Along::kDepth ? t / kDepth + i * (static_cast<int>(kThreads) / kDepth) : t % kLines;
  }
  static __device__ int depth(int i) {
    const int t = static_cast<int>(threadIdx.x);
    return View::kAlong == Along::kDepth ? t % kDepth : t / kLines + i * (static_cast<int>(kThreads) / kLines);
  }
  __device__ void load(const View& view, int first_line, int lines, int first, int end) {
#pragma unroll
    for (int i = 0; i < kItems; i++) {
      const int at_line = first_line + line(i), at_depth = first + depth(i);
      values[i] = at_line < lines && at_depth < end ? view.at(at_line, at_depth) : 0.0f;
    }
  }
  __device__ void store(float* shared) const {
#pragma unroll
    for (int i = 0; i < kItems; i++) shared[depth(i) * kStep + line(i)] = values[i];
  }
};

template <class Left, class Right, int kRows, int kColumns>
__global__ void __launch_bounds__(kThreads) product_kernel(Product p, Left left, Right right) {
  constexpr int kTall = 4;
  constexpr int kWide = kRows * kColumns / static_cast<int>(kThreads) / kTall;
  static_assert(kWide == 2 || kWide == 4);
  using LeftSlice = Slice<Left, kRows>;
  using RightSlice = Slice<Right, kColumns>;
  HAST_DYNAMIC_SHARED(float, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const int column = thread % (kColumns / kWide) * kWide;
  const int row = thread / (kColumns / kWide) * kTall;
  const int first_row = static_cast<int>(blockIdx.x) * kRows;
  const int first_column = static_cast<int>(blockIdx.y) * kColumns;
  const int first = static_cast<int>(blockIdx.z) * p.part;
  const int end = static_cast<int>(smaller(int64_t{first} + p.part, p.depth));
  const bool sums_right = p.right_sums != nullptr && blockIdx.x == 0 && thread < kColumns;

  float sums[kTall][kWide] = {};
  float right_sum = 0.0f;
  LeftSlice left_slice;
  RightSlice right_slice;
  left_slice.load(left, first_row, p.rows, first, end);
  right_slice.load(right, first_column, p.columns, first, end);
  int buffer = 0;
  for (int slice = first; slice < end; slice += kDepth, buffer ^= 1) {
    float* left_shared = shared + buffer * (LeftSlice::kFloats + RightSlice::kFloats);
    float* right_shared = left_shared + LeftSlice::kFloats;
    left_slice.store(left_shared);
    right_slice.store(right_shared);
    // One barrier a slice: who stores into this buffer next has passed the barrier of the other one.
    __syncthreads();
    if (slice + kDepth < end) {
      left_slice.load(left, first_row, p.rows, slice + kDepth, end);
      right_slice.load(right, first_column, p.columns, slice + kDepth, end);
    }
#pragma unroll
    for (int d = 0; d < kDepth; d++) {
      const float4 tall = *reinterpret_cast<const float4*>(left_shared + d * LeftSlice::kStep + row);
      const float l[kTall] = {tall.x, tall.y, tall.z, tall.w};
      float w[kWide];
#pragma unroll
      for (int j = 0; j < kWide; j += 2) {
        const float2 pair = *reinterpret_cast<const float2*>(right_shared + d * RightSlice::kStep + column + j);
        w[j] = pair.x;
        w[j + 1] = pair.y;
      }
#pragma unroll
      for (int i = 0; i < kTall; i++) {
#pragma unroll
        for (int j = 0; j < kWide; j++) sums[i][j] = fmaf(l[i], w[j], sums[i][j]);
      }
    }
    if (sums_right) {
      for (int d = 0; d < kDepth; d++) right_sum += right_shared[d * RightSlice::kStep + thread];
    }
  }

  float* out = p.out + blockIdx.z * p.part_step;
#pragma unroll
  for (int i = 0; i < kTall; i++) {
    const int m = first_row + row + i;
#pragma unroll
    for (int j = 0; j < kWide; j++) {
      const int n = first_column + column + j;
      if (m >= p.rows || n >= p.columns) continue;
      float value = sums[i][j];
      if (p.bias != nullptr) value += p.bias[n];
      float* to = out + m * p.row_step + n * p.column_step;
      *to = p.accumulate ? *to + value : value;
    }
  }
  if (sums_right && first_column + thread < p.columns) p.right_sums[first_column + thread] = right_sum;
}

// Tile of product_kernel for a number of columns.
struct ProductTile {
  int rows, columns;
};
inline ProductTile product_tile(int64_t columns) {
  return columns <= 16 ? ProductTile{128, 16} : columns <= 32 ? ProductTile{128, 32} : ProductTile{64, 64};
}

template <int kRows, int kColumns, class Left, class Right>
int32_t multiply_tiles(const Product& p, const Left& left, const Right& right, const Stream& stream) {
  const dim3 grid(static_cast<unsigned>(ceil_div(p.rows, kRows)), static_cast<unsigned>(ceil_div(p.columns, kColumns)),
                  static_cast<unsigned>(ceil_div(p.depth, p.part)));
  constexpr size_t kShared = 2 * sizeof(float) * (Slice<Left, kRows>::kFloats + Slice<Right, kColumns>::kFloats);
  return launch(product_kernel<Left, Right, kRows, kColumns>, grid, kThreads, kShared, stream, p, left, right);
}

template <class Left, class Right>
int32_t multiply(const Product& p, const Left& left, const Right& right, const Stream& stream) {
  switch (product_tile(p.columns).columns) {
    case 16:
      return multiply_tiles<128, 16>(p, left, right, stream);
    case 32:
      return multiply_tiles<128, 32>(p, left, right, stream);
    default:
      return multiply_tiles<64, 64>(p, left, right, stream);
  }
}

// Most lines or terms a product may have: indices are 32-bit, and a tile may reach beyond the end.
constexpr int64_t kMostLines = int64_t{1} << 30;

}  // namespace hast

#endif

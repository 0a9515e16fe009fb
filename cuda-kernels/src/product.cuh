// A matrix product in float32, its factors read through views: what linear layers and the general convolution are.
//
//   out[m row_step + n column_step] (+)= bias[n] + sum_d left(m, d) right(n, d)
//
// A block computes kRows x kColumns outputs with 256 threads, each 4 rows of 4 (or 2) columns in
// registers. Slices of the depth pass through shared memory, depth-major, in two buffers: the next slice is on its
// way in registers while this one is multiplied. Terms are added in the order of d, and by fused multiply-add, so a
// result depends on nothing but the sizes. Where a tile is so small that a group of the threads covers it, each of
// kGroups groups takes every kGroups-th term, and the groups' sums are added in order. blockIdx.z takes one part of the
// depth and has its own output; where the left view has groups, of one group.
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
  static constexpr bool kGrouped = false;
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
  int groups;          // 0 where the views have none; each has columns of its own
  int64_t group_step;  // from one group's output to the next
};

constexpr int kDepthLanes = 16;

// A thread's share of kLines x kDepth values of a view, on the way to shared memory.
template <class View, int kLines, int kDepth>
struct Slice {
  static constexpr int kItems = kLines * kDepth / static_cast<int>(kThreads);
  // Where neighbouring threads read along the depth: the lines they read at once, and in how many turns all of them.
  // That there is one depth a thread has to be said below, or nvcc takes a third more registers.
  static constexpr int kLineLanes = static_cast<int>(kThreads) / kDepthLanes, kTurns = kLines / kLineLanes;
  // A row of shared memory stays a multiple of 16 bytes. Storing along the depth meets every bank twice.
  static constexpr int kStep = kLines + 4;
  static constexpr int kFloats = kDepth * kStep;
  float values[kItems];

  static __device__ int line(int i) {
    const int t = static_cast<int>(threadIdx.x);
    return View::kAlong == Along::kDepth ? t / kDepthLanes + (kTurns == kItems ? i : i % kTurns) * kLineLanes
                                         : t % kLines;
  }
  static __device__ int depth(int i) {
    const int t = static_cast<int>(threadIdx.x);
    return View::kAlong == Along::kDepth ? t % kDepthLanes + (kTurns == kItems ? 0 : i / kTurns) * kDepthLanes
                                         : t / kLines + i * (static_cast<int>(kThreads) / kLines);
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

// Terms of a slice; groups of threads have eight each.
template <int kGroups>
constexpr int kSliceDepth = kGroups == 1 ? 16 : 8 * kGroups;

__device__ inline void write_out(const Product& p, int row, int column, float value) {
  if (row >= p.rows || column >= p.columns) return;
  if (p.bias != nullptr) value += p.bias[column];
  float* to = p.out + row * p.row_step + column * p.column_step;
  *to = p.accumulate ? *to + value : value;
}

template <class Left, class Right, int kRows, int kColumns, int kGroups>
__global__ void __launch_bounds__(kThreads) product_kernel(Product p, Left left, Right right) {
  constexpr int kTall = 4, kTile = kRows * kColumns;
  constexpr int kGroupThreads = static_cast<int>(kThreads) / kGroups;
  constexpr int kWide = kTile / kGroupThreads / kTall;
  static_assert(kWide == 2 || kWide == 4);
  constexpr int kDepth = kSliceDepth<kGroups>;
  using LeftSlice = Slice<Left, kRows, kDepth>;
  using RightSlice = Slice<Right, kColumns, kDepth>;
  HAST_DYNAMIC_SHARED(float, shared);

  const int thread = static_cast<int>(threadIdx.x);
  const int group = kGroups == 1 ? 0 : thread / kGroupThreads, member = thread - group * kGroupThreads;
  const int column = member % (kColumns / kWide) * kWide;
  const int row = member / (kColumns / kWide) * kTall;
  const int first_row = static_cast<int>(blockIdx.x) * kRows;
  const int first_column = static_cast<int>(blockIdx.y) * kColumns;
  int part = static_cast<int>(blockIdx.z);
  if constexpr (Left::kGrouped) {
    const int parts = static_cast<int>(gridDim.z) / p.groups, group = part / parts;
    part -= group * parts;
    left.shift(group);
    right.shift(group);
    p.out += group * p.group_step;
    if (p.bias != nullptr) p.bias += int64_t{group} * p.columns;
  }
  p.out += part * p.part_step;
  const int first = part * p.part;
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
    for (int i = 0; i < kDepth / kGroups; i++) {
      const int d = i * kGroups + group;
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
      for (int m = 0; m < kTall; m++) {
#pragma unroll
        for (int n = 0; n < kWide; n++) sums[m][n] = fmaf(l[m], w[n], sums[m][n]);
      }
    }
    if (sums_right) {
      for (int d = 0; d < kDepth; d++) right_sum += right_shared[d * RightSlice::kStep + thread];
    }
  }

  // Of a block of groups, the buffers are free for their sums.
  if (kGroups > 1) __syncthreads();
#pragma unroll
  for (int m = 0; m < kTall; m++) {
#pragma unroll
    for (int n = 0; n < kWide; n++) {
      if (kGroups == 1) {
        write_out(p, first_row + row + m, first_column + column + n, sums[m][n]);
      } else {
        shared[group * kTile + (row + m) * kColumns + column + n] = sums[m][n];
      }
    }
  }
  if (kGroups > 1) {
    __syncthreads();
    for (int i = thread; i < kTile; i += static_cast<int>(kThreads)) {
      float sum = shared[i];
      for (int g = 1; g < kGroups; g++) sum += shared[g * kTile + i];
      write_out(p, first_row + i / kColumns, first_column + i % kColumns, sum);
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

template <int kRows, int kColumns, int kGroups = 1, class Left, class Right>
int32_t multiply_tiles(const Product& p, const Left& left, const Right& right, const Stream& stream) {
  const dim3 grid(static_cast<unsigned>(ceil_div(p.rows, kRows)), static_cast<unsigned>(ceil_div(p.columns, kColumns)),
                  static_cast<unsigned>(ceil_div(p.depth, p.part) * larger(1, p.groups)));
  constexpr int kDepth = kSliceDepth<kGroups>;
  constexpr size_t kShared =
      2 * sizeof(float) * (Slice<Left, kRows, kDepth>::kFloats + Slice<Right, kColumns, kDepth>::kFloats);
  static_assert(kGroups == 1 || kShared >= sizeof(float) * kGroups * kRows * kColumns);
  return launch(product_kernel<Left, Right, kRows, kColumns, kGroups>, grid, kThreads, kShared, stream, p, left, right);
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

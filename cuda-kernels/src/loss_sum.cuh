// Rows of a loss: a warp per row, and their sum in double without a workspace.
//
// A block adds the losses of its rows and leaves the sum among the stream's tickets, which are the stream's own memory
// and which one launch at a time uses. The last block adds the sums in an order of its own and puts the zeros back.
#ifndef HAST_LOSS_SUM_CUH
#define HAST_LOSS_SUM_CUH

#include "kernel.cuh"

namespace hast {

// Few rows are to spread over many multiprocessors: their exponentials in double are the work.
constexpr unsigned kLossThreads = 128;
constexpr int64_t kMostLossBlocks = 1024;
// The ticket itself, and one that only keeps the sums aligned.
constexpr int64_t kSumsBegin = 2;
static_assert(kSumsBegin + 2 * kMostLossBlocks <= kTickets && sizeof(double) == 2 * sizeof(unsigned),
              "the sums must fit into the tickets");

inline dim3 loss_blocks(int64_t rows) {
  return dim3(static_cast<unsigned>(smaller(kMostLossBlocks, ceil_div(rows, kLossThreads / kWarp))));
}

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % kWarp; }

// The largest of a row, in every lane. NaN is passed over: it shows in the sums that use the result.
__device__ inline float row_max(const float* row, int64_t count) {
  float largest = -INFINITY;
#pragma unroll 4
  for (int64_t j = lane_of_thread(); j < count; j += kWarp) largest = fmaxf(largest, row[j]);
  for (int bits = kWarp / 2; bits > 0; bits /= 2) largest = fmaxf(largest, __shfl_xor_sync(kFullWarp, largest, bits));
  return largest;
}

// Sets sum to that of row_loss(row) over the rows and returns true, in one thread of the grid; false in the others.
// row_loss is called by a whole warp and returns the same in every lane.
template <class Row>
__device__ bool sum_rows(double& sum, unsigned* tickets, int64_t rows, const Row& row_loss) {
  double* sums = reinterpret_cast<double*>(tickets + kSumsBegin);
  double own = 0.0;
  for (int64_t row = first_item() / kWarp; row < rows; row += item_step() / kWarp) own += row_loss(row);
  own = block_sum(lane_of_thread() == 0 ? own : 0.0);
  if (threadIdx.x == 0) sums[blockIdx.x] = own;
  if (!last_block(tickets, gridDim.x)) return false;
  double all = 0.0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += blockDim.x) {
    all += sums[block];
    sums[block] = 0.0;
  }
  sum = block_sum(all);
  return threadIdx.x == 0;
}

}  // namespace hast

#endif

// Kernels that walk rows: a row is what has one place in the outer dimensions, its items are packs of channels.
#ifndef HAST_ROWS_CUH
#define HAST_ROWS_CUH

#include "kernel.cuh"

namespace hast {

template <int kWidth>
using Floats = Pack<float, kWidth>;

template <int kWidth, class T>
__host__ __device__ const Pack<T, kWidth>* packs(const T* address) {
  return reinterpret_cast<const Pack<T, kWidth>*>(address);
}
template <int kWidth, class T>
__host__ __device__ Pack<T, kWidth>* packs(T* address) {
  return reinterpret_cast<Pack<T, kWidth>*>(address);
}

struct Shape {
  dim3 grid, block;
};

// The smallest power of two that is not below items, kThreads at most.
inline unsigned row_threads(int64_t items) {
  unsigned threads = 1;
  while (threads < kThreads && threads < items) threads *= 2;
  return threads;
}

// Blocks of kThreads, x along a row's items and y along rows.
inline Shape rows_shape(int64_t rows, int64_t items, const Stream& stream) {
  const unsigned x = row_threads(items);
  const unsigned y = kThreads / x;
  const int64_t most = int64_t{8} * stream.processors;
  return {dim3(static_cast<unsigned>(smaller(ceil_div(rows, y), most))), dim3(x, y)};
}

// First row and step of a grid-stride loop over rows.
__device__ inline int64_t first_row() { return int64_t{blockIdx.x} * blockDim.y + threadIdx.y; }
__device__ inline int64_t row_step() { return int64_t{gridDim.x} * blockDim.y; }

}  // namespace hast

#endif

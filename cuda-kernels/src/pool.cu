// Global average pooling: y[n, c] = mean over hw of x[n, hw, c]; dx = dy / hw repeated. And the sum over hw of x, or of
// x times a factor.
//
// Forward: a block takes an image and a tile of channel packs, x along the packs and y along the pixels, so that it
// reads whole lines; sums of up to 8 pixels in float32, in double across, over the block in a fixed order; rounded
// once. Backward: one division for each element. 4 bytes per element either way, +4 for a factor, 16 a thread where c
// allows.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

constexpr int64_t kTile = 32;
// Loads in flight.
constexpr int kLoads = 8;
// Blocks at once on a multiprocessor; asked for no number, the compiler aims at more and spills.
constexpr unsigned kBlocks = 4;

// y = the sum over hw, of products where kFactor says so, divided.
template <int kWidth, bool kFactor>
__global__ void __launch_bounds__(kThreads, kBlocks)
    pool(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ x, const Floats<kWidth>* __restrict__ factor, int64_t n,
         int64_t hw, int64_t columns, double divisor) {
  constexpr int kPixels = kFactor ? kLoads / 2 : kLoads;
  HAST_DYNAMIC_SHARED(double, sums);  // [kWidth][kThreads]
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int64_t tiles = ceil_div(columns, blockDim.x);
  for (int64_t item = blockIdx.x; item < n * tiles; item += gridDim.x) {
    const int64_t image = item / tiles;
    const int64_t column = item % tiles * blockDim.x + threadIdx.x;
    const int64_t start = image * hw * columns + column;
    double all[kWidth] = {};
    for (int64_t row = threadIdx.y; row < hw && column < columns; row += int64_t{kPixels} * blockDim.y) {
      Floats<kWidth> read[kPixels] = {};
#pragma unroll
      for (int i = 0; i < kPixels; i++) {
        const int64_t r = row + int64_t{i} * blockDim.y;
        if (r >= hw) continue;
        read[i] = x[start + r * columns];
        if constexpr (kFactor) {
          const Floats<kWidth> other = factor[start + r * columns];
          for (int k = 0; k < kWidth; k++) read[i].at[k] *= other.at[k];
        }
      }
#pragma unroll
      for (int k = 0; k < kWidth; k++) {
        float sum = read[0].at[k];
#pragma unroll
        for (int i = 1; i < kPixels; i++) sum += read[i].at[k];
        all[k] += static_cast<double>(sum);
      }
    }
    for (int k = 0; k < kWidth; k++) sums[k * kThreads + thread] = all[k];
    __syncthreads();
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
      if (threadIdx.y < half) {
        for (int k = 0; k < kWidth; k++) {
          sums[k * kThreads + thread] += sums[k * kThreads + thread + half * blockDim.x];
        }
      }
      __syncthreads();
    }
    if (threadIdx.y == 0 && column < columns) {
      Floats<kWidth> result;
      for (int k = 0; k < kWidth; k++) result.at[k] = static_cast<float>(sums[k * kThreads + thread] / divisor);
      y[image * columns + column] = result;
    }
    __syncthreads();
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    spread(Floats<kWidth>* dx, const Floats<kWidth>* __restrict__ dy, int64_t n, int64_t hw, int64_t columns) {
  const float count = static_cast<float>(hw);
  for (int64_t row = first_row(); row < n * hw; row += row_step()) {
    const int64_t image = row / hw;
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      Floats<kWidth> value = dy[image * columns + i];
      for (int k = 0; k < kWidth; k++) value.at[k] /= count;
      dx[row * columns + i] = value;
    }
  }
}

template <int kWidth, bool kFactor>
int32_t launch_pool(float* y, const float* x, const float* factor, int64_t n, int64_t hw, int64_t c, double divisor,
                    const Stream& stream) {
  const int64_t columns = c / kWidth;
  const unsigned width = row_threads(smaller(columns, kTile));
  const int64_t most = int64_t{8} * stream.processors;
  const unsigned blocks = static_cast<unsigned>(smaller(n * ceil_div(columns, width), most));
  return launch(pool<kWidth, kFactor>, blocks, dim3(width, kThreads / width), kWidth * kThreads * sizeof(double),
                stream, packs<kWidth>(y), packs<kWidth>(x), packs<kWidth>(factor), n, hw, columns, divisor);
}

template <int kWidth>
int32_t launch_spread(float* dx, const float* dy, int64_t n, int64_t hw, int64_t c, const Stream& stream) {
  const Shape shape = rows_shape(n * hw, c / kWidth, stream);
  return launch(spread<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(dx), packs<kWidth>(dy), n, hw,
                c / kWidth);
}

}  // namespace

int32_t hast_global_avg_pool_fwd_f32(float* y, const float* x, int64_t n, int64_t hw, int64_t c,
                                     void* stream) noexcept {
  if (!valid::global_pool(y, x, n, hw, c, stream)) return HAST_EARGUMENT;
  const auto launches = c % 4 == 0 && aligned16(y, x) ? launch_pool<4, false> : launch_pool<1, false>;
  return launches(y, x, nullptr, n, hw, c, static_cast<double>(hw), stream_of(stream));
}

int32_t hast_pixel_sum_fwd_f32(float* y, const float* x, const float* factor, int64_t n, int64_t hw, int64_t c,
                               void* stream) noexcept {
  if (!valid::global_pool(y, x, n, hw, c, stream)) return HAST_EARGUMENT;
  const bool wide = c % 4 == 0 && aligned16(y, x, factor);
  const auto launches = factor != nullptr ? (wide ? launch_pool<4, true> : launch_pool<1, true>)
                                          : (wide ? launch_pool<4, false> : launch_pool<1, false>);
  return launches(y, x, factor, n, hw, c, 1.0, stream_of(stream));
}

int32_t hast_global_avg_pool_bwd_f32(float* dx, const float* dy, int64_t n, int64_t hw, int64_t c,
                                     void* stream) noexcept {
  if (!valid::global_pool(dx, dy, n, hw, c, stream)) return HAST_EARGUMENT;
  const auto launches = c % 4 == 0 && aligned16(dx, dy) ? launch_spread<4> : launch_spread<1>;
  return launches(dx, dy, n, hw, c, stream_of(stream));
}

// Matrices transposed: [n, rows, columns] to [n, columns, rows]. Copies only, so the bits are always the same; 8 bytes
// per element.
//
// A block turns a tile of 32 x 32 elements in shared memory, so that it reads and writes whole lines. Where one side is
// so short that most of a tile would be empty, a block takes a matrix instead, writes it in order and reads it as it
// comes: a few runs at a time, whose lines stay in the cache.
#include <hast/layer.h>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

constexpr int kTile = 32;
constexpr int kTileRows = static_cast<int>(kThreads) / kTile;
constexpr int64_t kShort = 8;

// The last column lets the lanes of one column meet in different banks.
struct TileRow {
  float at[kTile + 1];
};

__global__ void __launch_bounds__(kThreads)
    turn_tiles(float* y, const float* __restrict__ x, int64_t n, int64_t rows, int64_t columns) {
  HAST_DYNAMIC_SHARED(TileRow, tile);  // [kTile]
  const int lane = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
  const int64_t down = ceil_div(rows, kTile), across = ceil_div(columns, kTile);
  for (int64_t item = blockIdx.x; item < n * down * across; item += gridDim.x) {
    const int64_t matrix = item / (down * across) * rows * columns;
    const int64_t row = item / across % down * kTile, column = item % across * kTile;
    for (int i = line; i < kTile && row + i < rows; i += kTileRows) {
      if (column + lane < columns) tile[i].at[lane] = x[matrix + (row + i) * columns + column + lane];
    }
    __syncthreads();
    for (int i = line; i < kTile && column + i < columns; i += kTileRows) {
      if (row + lane < rows) y[matrix + (column + i) * rows + row + lane] = tile[lane].at[i];
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    turn_matrices(float* y, const float* __restrict__ x, int64_t n, int rows, int columns, Divider by_rows) {
  const int size = rows * columns;
  for (int64_t matrix = first_row(); matrix < n; matrix += row_step()) {
    for (int i = static_cast<int>(threadIdx.x); i < size; i += static_cast<int>(blockDim.x)) {
      const Division to(i, by_rows);
      y[matrix * size + i] = x[matrix * size + to.remainder * columns + to.quotient];
    }
  }
}

}  // namespace

int32_t hast_transpose_fwd_f32(float* y, const float* x, int64_t n, int64_t rows, int64_t columns,
                               void* stream) noexcept {
  if (!valid::transpose(y, x, n, rows, columns, stream)) return HAST_EARGUMENT;
  const Stream& to = stream_of(stream);
  if ((rows <= kShort || columns <= kShort) && rows <= INT32_MAX / columns - int64_t{kThreads}) {
    const Shape shape = rows_shape(n, rows * columns, to);
    return launch(turn_matrices, shape.grid, shape.block, 0, to, y, x, n, static_cast<int>(rows),
                  static_cast<int>(columns), Divider(rows));
  }
  const int64_t tiles = n * ceil_div(rows, kTile) * ceil_div(columns, kTile);
  const dim3 grid(static_cast<unsigned>(smaller(tiles, int64_t{8} * to.processors)));
  return launch(turn_tiles, grid, dim3(kTile, kTileRows), kTile * sizeof(TileRow), to, y, x, n, rows, columns);
}

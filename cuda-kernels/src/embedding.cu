// The conditional generator's input: y[n, d] = table[labels[n]] * noise[n], and the gradient of table[classes, d]. A
// label outside [0, classes) gives a NaN row forward and is left out backward.
//
// Forward: a row of threads per sample, 16 bytes a thread where d allows; 12 bytes per element. Backward: a warp per
// class and 32 packs of columns finds the class's samples 32 labels at a time and adds them in their order in float32:
// no atomics, the same bits always. Every warp reads all labels, from the cache; dy and noise are read once.
#include <hast/layer.h>

#include <cmath>

#include "portable/arguments/layer.h"
#include "rows.cuh"

using namespace hast;

namespace {

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    embed(Floats<kWidth>* y, const Floats<kWidth>* __restrict__ table, const Floats<kWidth>* __restrict__ noise,
          const int32_t* __restrict__ labels, int64_t n, int64_t columns, int64_t classes) {
  for (int64_t row = first_row(); row < n; row += row_step()) {
    const int64_t label = labels[row];
    const bool known = label >= 0 && label < classes;
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      Floats<kWidth> value = noise[row * columns + i];
      if (known) {
        const Floats<kWidth> embedding = table[label * columns + i];
        for (int k = 0; k < kWidth; k++) value.at[k] *= embedding.at[k];
      } else {
        for (int k = 0; k < kWidth; k++) value.at[k] = NAN;
      }
      y[row * columns + i] = value;
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_samples(Floats<kWidth>* dtable, const Floats<kWidth>* __restrict__ dy, const Floats<kWidth>* __restrict__ noise,
                const int32_t* __restrict__ labels, int64_t n, int64_t columns, int64_t classes) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t tiles = ceil_div(columns, kWarp);
  for (int64_t item = first_item() / kWarp; item < classes * tiles; item += item_step() / kWarp) {
    const int64_t own = item / tiles;
    const int64_t column = item % tiles * kWarp + lane;
    Floats<kWidth> sum = {};
    for (int64_t first = 0; first < n; first += kWarp) {
      const bool hit = first + lane < n && labels[first + lane] == own;
      for (unsigned hits = __ballot_sync(kFullWarp, hit); hits != 0; hits &= hits - 1) {
        const int64_t row = first + __ffs(static_cast<int>(hits)) - 1;
        if (column >= columns) continue;
        const Floats<kWidth> a = dy[row * columns + column], b = noise[row * columns + column];
        for (int k = 0; k < kWidth; k++) sum.at[k] += a.at[k] * b.at[k];
      }
    }
    if (column < columns) dtable[own * columns + column] = sum;
  }
}

template <int kWidth>
int32_t launch_embed(float* y, const float* table, const float* noise, const int32_t* labels, int64_t n, int64_t d,
                     int64_t classes, const Stream& stream) {
  const Shape shape = rows_shape(n, d / kWidth, stream);
  return launch(embed<kWidth>, shape.grid, shape.block, 0, stream, packs<kWidth>(y), packs<kWidth>(table),
                packs<kWidth>(noise), labels, n, d / kWidth, classes);
}

template <int kWidth>
int32_t launch_add_samples(float* dtable, const float* dy, const float* noise, const int32_t* labels, int64_t n,
                           int64_t d, int64_t classes, const Stream& stream) {
  const int64_t columns = d / kWidth;
  return launch(add_samples<kWidth>, blocks_for(classes * ceil_div(columns, kWarp) * kWarp, stream), kThreads, 0,
                stream, packs<kWidth>(dtable), packs<kWidth>(dy), packs<kWidth>(noise), labels, n, columns, classes);
}

}  // namespace

int32_t hast_embedding_fwd_f32(float* y, const float* table, const float* noise, const int32_t* labels, int64_t n,
                               int64_t d, int64_t classes, void* stream) noexcept {
  if (!valid::embedding(y, table, noise, labels, n, d, classes, stream)) return HAST_EARGUMENT;
  const auto launches = d % 4 == 0 && aligned16(y, table, noise) ? launch_embed<4> : launch_embed<1>;
  return launches(y, table, noise, labels, n, d, classes, stream_of(stream));
}

int32_t hast_embedding_bwd_f32(float* dtable, const float* dy, const float* noise, const int32_t* labels, int64_t n,
                               int64_t d, int64_t classes, void* stream) noexcept {
  if (!valid::embedding(dtable, dy, noise, labels, n, d, classes, stream)) return HAST_EARGUMENT;
  const auto launches = d % 4 == 0 && aligned16(dtable, dy, noise) ? launch_add_samples<4> : launch_add_samples<1>;
  return launches(dtable, dy, noise, labels, n, d, classes, stream_of(stream));
}

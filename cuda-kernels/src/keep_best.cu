// Keeps what had the lowest loss so far (optim.h has the rule).
//
// Shapes [n]: one launch. Every block reads both losses before it takes its ticket, so the last block may move the kept
// one on. Nothing else is read where the loss is no better; else 8 bytes per element.
#include <hast/optim.h>

#include "kernel.cuh"
#include "portable/arguments/optim.h"

using namespace hast;

namespace {

__global__ void keep(float* kept, float* kept_loss, int64_t* kept_at, const float* p, const float* loss,
                     const int64_t* now, int64_t n, int64_t quads, unsigned* ticket) {
  const bool better = *loss < *kept_loss;
  if (better) {
    for (int64_t i = first_item(); i < quads; i += item_step()) {
      store4(kept + 4 * i, reinterpret_cast<const float4*>(p)[i]);
    }
    for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) kept[i] = p[i];
  }
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0 && better) {
    *kept_loss = *loss;
    *kept_at = *now;
  }
}

}  // namespace

int32_t hast_keep_best_step_f32(float* kept, float* kept_loss, int64_t* kept_at, const float* p, const float* loss,
                                const int64_t* now, int64_t n, void* stream) noexcept {
  if (!valid::keep_best_step(kept, kept_loss, kept_at, p, loss, now, n, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, kept, p);
  return launch(keep, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, kept, kept_loss, kept_at, p, loss,
                now, n, quads, s.tickets);
}

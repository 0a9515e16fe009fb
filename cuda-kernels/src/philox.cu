// Normal numbers (Box-Muller) and labels by Philox4x32-10: random.h has the counters, philox.h the arithmetic.
//
// -> [n]; a value depends on (seed, step, draw, index) alone. A thread makes one Philox block, which is four values,
// and stores them as 16 bytes where the address allows it. 4 bytes per element; normals are bound by their arithmetic
// in double, two logarithms and two sines and cosines a thread.
#include <hast/random.h>

#include "kernel.cuh"
#include "portable/arguments/random.h"
#include "portable/philox.h"

using namespace hast;

namespace {

struct Normals {
  using Four = float4;
  __device__ float4 operator()(const Words& words) const {
    float y[4];
    box_muller(y, words.word[0], words.word[1]);
    box_muller(y + 2, words.word[2], words.word[3]);
    return make_float4(y[0], y[1], y[2], y[3]);
  }
};

struct Labels {
  using Four = int4;
  int32_t classes;
  __device__ int label(uint32_t word) const { return static_cast<int>(below(word, classes)); }
  __device__ int4 operator()(const Words& words) const {
    return make_int4(label(words.word[0]), label(words.word[1]), label(words.word[2]), label(words.word[3]));
  }
};

// The first `quads` blocks are stored whole.
template <class Value, class Function>
__global__ void generate(Value* y, const int64_t* key, int32_t draw, int64_t n, int64_t quads, Function function) {
  const Draw random(key, draw);
  const int64_t blocks = ceil_div(n, 4);
  for (int64_t block = first_item(); block < blocks; block += item_step()) {
    const typename Function::Four four = function(random.block(block));
    if (block < quads) {
      reinterpret_cast<typename Function::Four*>(y)[block] = four;
      continue;
    }
    Value* to = y + 4 * block;
    const int64_t rest = n - 4 * block;
    to[0] = four.x;
    if (rest > 1) to[1] = four.y;
    if (rest > 2) to[2] = four.z;
    if (rest > 3) to[3] = four.w;
  }
}

template <class Value, class Function>
int32_t launch_generate(Value* y, const int64_t* key, int32_t draw, int64_t n, const Function& function, void* stream) {
  const Stream& s = stream_of(stream);
  return launch(generate<Value, Function>, blocks_for(ceil_div(n, 4), s), kThreads, 0, s, y, key, draw, n,
                quads_of(n, y), function);
}

}  // namespace

int32_t hast_philox_normal_fwd_f32(float* y, const int64_t* key, int64_t n, int32_t draw, void* stream) noexcept {
  if (!valid::philox_normal(y, key, n, stream)) return HAST_EARGUMENT;
  return launch_generate(y, key, draw, n, Normals{}, stream);
}

int32_t hast_philox_labels_fwd_i32(int32_t* y, const int64_t* key, int64_t n, int32_t classes, int32_t draw,
                                   void* stream) noexcept {
  if (!valid::philox_labels(y, key, n, classes, stream)) return HAST_EARGUMENT;
  return launch_generate(y, key, draw, n, Labels{classes}, stream);
}

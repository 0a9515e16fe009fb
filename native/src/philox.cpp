// Normal numbers and labels by Philox4x32-10 (random.h has the formulas, portable/philox.h the generator).
//
// Shapes: [n].
// Rounding: Box-Muller in double, rounded once.
// Determinism: a value depends on (seed, step, draw, index) alone.
// Bytes per element: 4.
#include "portable/philox.h"

#include <hast/random.h>

#include "kernel.h"
#include "portable/arguments/random.h"

using namespace hast;

// Blocks are cut at multiples of four elements.
static_assert(kPieceElements % 4 == 0);

int32_t hast_philox_normal_fwd_f32(float* y, const int64_t* key, int64_t n, int32_t draw, void* stream) noexcept {
  if (!valid::philox_normal(y, key, n, stream)) return HAST_EARGUMENT;
  const Draw random(key, draw);
  for_ranges(stream, n, [&](int64_t begin, int64_t length) {
    for (int64_t i = begin; i < begin + length; i += 4) {
      const Words words = random.block(i / 4);
      float four[4];
      box_muller(four, words.word[0], words.word[1]);
      box_muller(four + 2, words.word[2], words.word[3]);
      for (int64_t k = 0; k < smaller(4, n - i); k++) y[i + k] = four[k];
    }
  });
  return HAST_OK;
}

int32_t hast_philox_labels_fwd_i32(int32_t* y, const int64_t* key, int64_t n, int32_t classes, int32_t draw,
                                   void* stream) noexcept {
  if (!valid::philox_labels(y, key, n, classes, stream)) return HAST_EARGUMENT;
  const Draw random(key, draw);
  for_ranges(stream, n, [&](int64_t begin, int64_t length) {
    for (int64_t i = begin; i < begin + length; i += 4) {
      const Words words = random.block(i / 4);
      for (int64_t k = 0; k < smaller(4, n - i); k++) y[i + k] = static_cast<int32_t>(below(words.word[k], classes));
    }
  });
  return HAST_OK;
}

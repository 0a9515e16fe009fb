// Boxes of the random crops: torchvision's RandomResizedCrop, and the shifted crop of CIFAR training (random.h has the
// rules, portable/random_boxes.h the arithmetic).
//
// Shapes: boxes [n, 6].
// Rounding: in double, half to even.
// Determinism: a box depends on (seed, step, draw, index) alone.
// Bytes per box: 24.
#include "portable/random_boxes.h"

#include <hast/random.h>

#include "kernel.h"
#include "portable/arguments/random.h"

namespace hast {
namespace {

template <class Rule>
int32_t write_boxes(int32_t* boxes, const int64_t* key, int32_t draw, const Choice& choice, const Rule& rule,
                    void* stream) {
  if (!valid::boxes(boxes, key, choice, rule, stream)) return HAST_EARGUMENT;
  const Draw random(key, draw);
  // Pieces of 64 samples: a sample takes as long as a few hundred elements of an element-wise kernel.
  for_items(stream, choice.n, kPieceElements / 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) write_sample(boxes + kBoxFields * i, random, choice, i, rule);
  });
  return HAST_OK;
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_crop_boxes_fwd_i32(int32_t* boxes, const int64_t* key, const int32_t* order, int64_t n, int64_t images,
                                int64_t order_count, int64_t height, int64_t width, float scale_min, float scale_max,
                                float ratio_min, float ratio_max, int32_t draw, void* stream) noexcept {
  return write_boxes(boxes, key, draw, Choice{order, n, images, order_count},
                     Resize(height, width, scale_min, scale_max, ratio_min, ratio_max), stream);
}

int32_t hast_shift_boxes_fwd_i32(int32_t* boxes, const int64_t* key, const int32_t* order, int64_t n, int64_t images,
                                 int64_t order_count, int64_t height, int64_t width, int32_t pad, int32_t flip,
                                 int32_t draw, void* stream) noexcept {
  return write_boxes(boxes, key, draw, Choice{order, n, images, order_count}, Shift{height, width, pad, flip != 0},
                     stream);
}

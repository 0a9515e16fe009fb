// Boxes of the random crops: torchvision's RandomResizedCrop, and the shifted crop of CIFAR training (random.h).
//
// -> [n, 6], the CPU's arithmetic (random_boxes.h), in double. One thread per sample and small blocks, so that the few
// samples of a batch spread over the multiprocessors: a kernel of latency, not of bandwidth. 24 bytes per sample.
#include <hast/random.h>

#include "kernel.cuh"
#include "portable/arguments/random.h"
#include "portable/random_boxes.h"

using namespace hast;

namespace {

template <class Rule>
__global__ void sample(int32_t* boxes, const int64_t* key, int32_t draw, Choice choice, Rule rule) {
  const int64_t i = first_item();
  if (i < choice.n) write_sample(boxes + kBoxFields * i, Draw(key, draw), choice, i, rule);
}

template <class Rule>
int32_t write_boxes(int32_t* boxes, const int64_t* key, int32_t draw, const Choice& choice, const Rule& rule,
                    void* stream) {
  if (!valid::boxes(boxes, key, choice, rule, stream)) return HAST_EARGUMENT;
  return launch(sample<Rule>, dim3(static_cast<unsigned>(ceil_div(choice.n, kWarp))), kWarp, 0, stream_of(stream),
                boxes, key, draw, choice, rule);
}

}  // namespace

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

// labels[i] = all_labels[boxes[i].image]: the labels of the samples that boxes chose. A box whose image lies outside
// [0, images) gives label -1, which the losses turn into NaN. One thread per sample.
#include <hast/random.h>

#include "kernel.cuh"
#include "portable/arguments/random.h"
#include "portable/random_boxes.h"

using namespace hast;

namespace {

__global__ void gather(int32_t* labels, const int32_t* all_labels, const int32_t* boxes, int64_t n, int64_t images) {
  for (int64_t i = first_item(); i < n; i += item_step()) {
    const int64_t image = boxes[i * kBoxFields];
    labels[i] = image >= 0 && image < images ? all_labels[image] : -1;
  }
}

}  // namespace

int32_t hast_gather_labels_fwd_i32(int32_t* labels, const int32_t* all_labels, const int32_t* boxes, int64_t n,
                                   int64_t images, void* stream) noexcept {
  if (!valid::gather_labels(labels, all_labels, boxes, n, images, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  return launch(gather, blocks_for(n, s), kThreads, 0, s, labels, all_labels, boxes, n, images);
}

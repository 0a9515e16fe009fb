// The labels of the samples that boxes chose.
//
//   labels[i] = all_labels[boxes[i].image], or -1 where the image lies outside [0, images): the losses turn it into NaN
//
// Shapes: labels [n], boxes [n, 6].
// Rounding: none.
// Determinism: a label depends on its own box alone.
// Bytes per label: 12.
#include <hast/random.h>

#include "kernel.h"
#include "portable/arguments/random.h"
#include "portable/random_boxes.h"

using namespace hast;

int32_t hast_gather_labels_fwd_i32(int32_t* labels, const int32_t* all_labels, const int32_t* boxes, int64_t n,
                                   int64_t images, void* stream) noexcept {
  if (!valid::gather_labels(labels, all_labels, boxes, n, images, stream)) return HAST_EARGUMENT;
  for (int64_t i = 0; i < n; i++) {
    const int64_t image = boxes[i * kBoxFields];
    labels[i] = image >= 0 && image < images ? all_labels[image] : -1;
  }
  return HAST_OK;
}

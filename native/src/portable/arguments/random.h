// The arguments of <hast/random.h>.
#ifndef HAST_ARGUMENTS_RANDOM_H
#define HAST_ARGUMENTS_RANDOM_H

#include "../crop.h"
#include "arguments.h"

namespace hast::valid {

inline bool philox_normal(const float* y, const int64_t* key, int64_t n, const void* stream) {
  return !any_null(y, key, stream) && n >= 1;
}

inline bool philox_labels(const int32_t* y, const int64_t* key, int64_t n, int32_t classes, const void* stream) {
  return !any_null(y, key, stream) && !any_below_one(n, classes);
}

// Choice and Rule are random_boxes.h's.
template <class Choice, class Rule>
bool boxes(const int32_t* boxes, const int64_t* key, const Choice& choice, const Rule& rule, const void* stream) {
  return !any_null(boxes, key, stream) && choice.valid() && rule.valid();
}

inline bool crop_flip_fwd(const float* y, const float* images, const int32_t* boxes, int64_t n, int64_t images_count,
                          const Crop& crop, const void* stream) {
  return !any_null(y, images, boxes, stream) && !any_below_one(n, images_count) && crop.valid();
}

inline bool crop_flip_bwd(const float* dimages, const float* dy, const int32_t* boxes, int64_t n, const Crop& crop,
                          const void* stream) {
  return !any_null(dimages, dy, boxes, stream) && n >= 1 && crop.valid();
}

inline bool gather_labels(const int32_t* labels, const int32_t* all_labels, const int32_t* boxes, int64_t n,
                          int64_t images, const void* stream) {
  return !any_null(labels, all_labels, boxes, stream) && !any_below_one(n, images);
}

}  // namespace hast::valid

#endif

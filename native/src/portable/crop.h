// Where a resized crop reads, shared by the libraries. Positions in double, weights in float32.
#ifndef HAST_CROP_H
#define HAST_CROP_H

#include <cstdint>

#include "portable.h"

namespace hast {

// The two source positions of an output position along one axis, relative to the box.
struct Tap {
  int64_t low, high;
  float weight;  // of high
};

HAST_PORTABLE HAST_INLINE Tap tap(int64_t position, int64_t out, int64_t box) {
  double source = (static_cast<double>(position) + 0.5) * (static_cast<double>(box) / static_cast<double>(out)) - 0.5;
  source = source < 0.0 ? 0.0 : source;
  int64_t low = static_cast<int64_t>(source);
  low = low < box ? low : box - 1;
  return {low, low + 1 < box ? low + 1 : low, static_cast<float>(source - static_cast<double>(low))};
}

struct Crop {
  int64_t height, width, channels, out_height, out_width;

  bool valid() const { return height >= 1 && width >= 1 && channels >= 1 && out_height >= 1 && out_width >= 1; }
};

}  // namespace hast

#endif

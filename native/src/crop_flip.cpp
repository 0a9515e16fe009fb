// Crop, bilinear resize (align_corners = false, no antialias) and horizontal flip in one gather, and its adjoint.
//
//   source = max((j + 0.5) box / out - 0.5, 0), low = floor(source), high = min(low + 1, box - 1), t = source - low
//   y = (1-ti) ((1-tj) x[low, low] + tj x[low, high]) + ti ((1-tj) x[high, low] + tj x[high, high]),  j mirrored by
//   flip
//
// [images, height, width, channels] -> [n, out_height, out_width, channels]; pixels outside the image read 0. Positions
// in double, weights and values in float32. A box of the output size has t = 0 everywhere and is copied. The adjoint
// gives each image to one thread, which adds in the order of the output: deterministic without atomics.
#include <hast/random.h>

#include <cstring>

#include "kernel.h"

namespace hast {
namespace {

// The two source positions of an output position along one axis, in pixels of the image; -1 is outside.
struct Tap {
  int64_t low, high;
  float weight;  // of high
};

HAST_INLINE Tap tap(int64_t position, int64_t out, int64_t first, int64_t box, int64_t size) {
  double source = (static_cast<double>(position) + 0.5) * (static_cast<double>(box) / static_cast<double>(out)) - 0.5;
  source = source < 0.0 ? 0.0 : source;
  int64_t low = static_cast<int64_t>(source);
  low = low < box ? low : box - 1;
  const int64_t high = low + 1 < box ? low + 1 : low;
  const auto inside = [&](int64_t at) { return first + at >= 0 && first + at < size ? first + at : -1; };
  return {inside(low), inside(high), static_cast<float>(source - static_cast<double>(low))};
}

struct Crop {
  int64_t height, width, channels, out_height, out_width;
};

constexpr int64_t kTile = 256;  // output columns whose taps are kept

template <int64_t kChannels>
HAST_INLINE void gather_row(float* y, const float* image, const Crop& crop, const Tap& row, const Tap* columns,
                            int64_t count) {
  const int64_t c = kChannels > 0 ? kChannels : crop.channels;
  const float* upper = row.low >= 0 ? image + row.low * crop.width * c : nullptr;
  const float* lower = row.high >= 0 ? image + row.high * crop.width * c : nullptr;
  const float down = row.weight, up = 1.0f - row.weight;
  for (int64_t j = 0; j < count; j++) {
    const Tap& column = columns[j];
    const float right = column.weight, left = 1.0f - column.weight;
    for (int64_t k = 0; k < c; k++) {
      const float a = upper != nullptr && column.low >= 0 ? upper[column.low * c + k] : 0.0f;
      const float b = upper != nullptr && column.high >= 0 ? upper[column.high * c + k] : 0.0f;
      const float d = lower != nullptr && column.low >= 0 ? lower[column.low * c + k] : 0.0f;
      const float e = lower != nullptr && column.high >= 0 ? lower[column.high * c + k] : 0.0f;
      y[j * c + k] = up * (left * a + right * b) + down * (left * d + right * e);
    }
  }
}

template <int64_t kChannels>
HAST_INLINE void scatter_row(float* image, const float* dy, const Crop& crop, const Tap& row, const Tap* columns,
                             int64_t count) {
  const int64_t c = kChannels > 0 ? kChannels : crop.channels;
  float* upper = row.low >= 0 ? image + row.low * crop.width * c : nullptr;
  float* lower = row.high >= 0 ? image + row.high * crop.width * c : nullptr;
  const float down = row.weight, up = 1.0f - row.weight;
  for (int64_t j = 0; j < count; j++) {
    const Tap& column = columns[j];
    const float right = column.weight, left = 1.0f - column.weight;
    for (int64_t k = 0; k < c; k++) {
      const float g = dy[j * c + k];
      if (upper != nullptr && column.low >= 0) upper[column.low * c + k] += up * left * g;
      if (upper != nullptr && column.high >= 0) upper[column.high * c + k] += up * right * g;
      if (lower != nullptr && column.low >= 0) lower[column.low * c + k] += down * left * g;
      if (lower != nullptr && column.high >= 0) lower[column.high * c + k] += down * right * g;
    }
  }
}

HAST_CLONES void gather_rows(float* y, const float* image, const Crop& crop, const int32_t* box, const Tap* columns,
                             int64_t first, int64_t count) {
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap row = tap(i, crop.out_height, box[1], box[3], crop.height);
    float* out = y + (i * crop.out_width + first) * crop.channels;
    if (crop.channels == 3) {
      gather_row<3>(out, image, crop, row, columns, count);
    } else {
      gather_row<0>(out, image, crop, row, columns, count);
    }
  }
}

HAST_CLONES void scatter_rows(float* image, const float* dy, const Crop& crop, const int32_t* box, const Tap* columns,
                              int64_t first, int64_t count) {
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap row = tap(i, crop.out_height, box[1], box[3], crop.height);
    const float* from = dy + (i * crop.out_width + first) * crop.channels;
    if (crop.channels == 3) {
      scatter_row<3>(image, from, crop, row, columns, count);
    } else {
      scatter_row<0>(image, from, crop, row, columns, count);
    }
  }
}

// The columns [first, first + count) of the output.
void column_taps(Tap* columns, const Crop& crop, const int32_t* box, int64_t first, int64_t count) {
  for (int64_t j = 0; j < count; j++) {
    const int64_t position = box[5] != 0 ? crop.out_width - 1 - (first + j) : first + j;
    columns[j] = tap(position, crop.out_width, box[2], box[4], crop.width);
  }
}

bool plain(const Crop& crop, const int32_t* box) {
  return box[3] == crop.out_height && box[4] == crop.out_width && box[5] == 0 && box[1] >= 0 && box[2] >= 0 &&
         box[1] + box[3] <= crop.height && box[2] + box[4] <= crop.width;
}

// copy(image row and column, output row, floats) for every row of a plain box
template <class Copy>
void plain_rows(const Crop& crop, const int32_t* box, const Copy& copy) {
  for (int64_t i = 0; i < crop.out_height; i++) {
    copy(((box[1] + i) * crop.width + box[2]) * crop.channels, i * crop.out_width * crop.channels,
         static_cast<size_t>(crop.out_width * crop.channels) * sizeof(float));
  }
}

void fill_nan(float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = __builtin_nanf("");
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_crop_flip_fwd_f32(float* y, const float* images, const int32_t* boxes, int64_t n, int64_t images_count,
                               int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
                               void* stream) noexcept {
  if (any_null(y, images, stream) || boxes == nullptr) return HAST_EARGUMENT;
  if (any_below_one(n, images_count, height, width, channels, out_height, out_width)) return HAST_EARGUMENT;
  const Crop crop{height, width, channels, out_height, out_width};
  const int64_t out_elements = out_height * out_width * channels;
  for_items(stream, n, out_elements, [&](int64_t begin, int64_t end) {
    Tap columns[kTile];
    for (int64_t i = begin; i < end; i++) {
      const int32_t* box = boxes + 6 * i;
      float* out = y + i * out_elements;
      if (box[0] < 0 || box[0] >= images_count || box[3] < 1 || box[4] < 1) {
        fill_nan(out, out_elements);
        continue;
      }
      const float* image = images + box[0] * height * width * channels;
      if (plain(crop, box)) {
        plain_rows(crop, box,
                   [&](int64_t from, int64_t to, size_t bytes) { std::memcpy(out + to, image + from, bytes); });
        continue;
      }
      for (int64_t first = 0; first < out_width; first += kTile) {
        const int64_t count = smaller(kTile, out_width - first);
        column_taps(columns, crop, box, first, count);
        gather_rows(out, image, crop, box, columns, first, count);
      }
    }
  });
  return HAST_OK;
}

int32_t hast_crop_flip_bwd_f32(float* dimages, const float* dy, const int32_t* boxes, int64_t n, int64_t height,
                               int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
                               void* stream) noexcept {
  if (any_null(dimages, dy, stream) || boxes == nullptr) return HAST_EARGUMENT;
  if (any_below_one(n, height, width, channels, out_height, out_width)) return HAST_EARGUMENT;
  const Crop crop{height, width, channels, out_height, out_width};
  const int64_t in_elements = height * width * channels;
  const int64_t out_elements = out_height * out_width * channels;
  for_items(stream, n, larger(in_elements, out_elements), [&](int64_t begin, int64_t end) {
    Tap columns[kTile];
    for (int64_t i = begin; i < end; i++) {
      const int32_t* box = boxes + 6 * i;
      float* image = dimages + i * in_elements;
      const float* from = dy + i * out_elements;
      if (box[3] < 1 || box[4] < 1) {
        fill_nan(image, in_elements);
        continue;
      }
      std::memset(image, 0, static_cast<size_t>(in_elements) * sizeof(float));
      if (plain(crop, box)) {
        plain_rows(crop, box, [&](int64_t to, int64_t at, size_t bytes) { std::memcpy(image + to, from + at, bytes); });
        continue;
      }
      for (int64_t first = 0; first < out_width; first += kTile) {
        const int64_t count = smaller(kTile, out_width - first);
        column_taps(columns, crop, box, first, count);
        scatter_rows(image, from, crop, box, columns, first, count);
      }
    }
  });
  return HAST_OK;
}

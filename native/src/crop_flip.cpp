// Crop, bilinear resize (align_corners = false, no antialias) and horizontal flip in one gather, and its adjoint.
//
//   source = max((j + 0.5) box / out - 0.5, 0), low = floor(source), high = min(low + 1, box - 1), t = source - low
//   y = (1-tj) ((1-ti) x[low, low] + ti x[high, low]) + tj ((1-ti) x[low, high] + ti x[high, high]); flip mirrors j
//
// Shapes: x [images, height, width, channels], y [n, out_height, out_width, channels].
// Rounding: positions in double, weights and values in float32, contraction allowed. A box of the output size is
// copied.
// Determinism: an output is one sum; the adjoint gives each image to one thread, which adds in the order of the output.
// Bytes per output element: 8, and the pixels between those read; the adjoint writes every pixel of the image too.
//
// Pixels outside the image read 0. Rows first: the two source rows are blended into one row of the box, which is
// contiguous and holds the zeros of what lies outside; then pixels are picked from it. The adjoint does the same in
// reverse.
#include <hast/random.h>

#include "kernel.h"
#include "portable/arguments/random.h"
#include "portable/crop.h"
#include "portable/random_boxes.h"
#include "vector.h"

namespace hast {
namespace {

// A box, and the columns [begin, end) of it that lie in the image.
struct Box {
  int64_t top, left, height, width;
  bool flip;
  int64_t begin, end;
};

Box box_of(const Crop& crop, const int32_t* fields) {
  Box b{fields[1], fields[2], fields[3], fields[4], fields[5] != 0, 0, 0};
  b.begin = smaller(b.width, larger(0, -b.left));
  b.end = larger(b.begin, smaller(b.width, crop.width - b.left));
  return b;
}

HAST_INLINE bool in_image(const Crop& crop, const Box& box, int64_t row) {
  return box.top + row >= 0 && box.top + row < crop.height;
}

// Offset of the first column of `box` in its `row`; only [begin, end) may be touched.
HAST_INLINE int64_t row_offset(const Crop& crop, const Box& box, int64_t row) {
  return ((box.top + row) * crop.width + box.left) * crop.channels;
}

constexpr int64_t kTile = 256;  // output columns whose taps are kept
constexpr int64_t kRow = 4096;  // elements of the longest row of a box that is blended as a whole

// y[j] = (1-t) row[low] + t row[high] for the output columns of one tile. With three channels a pixel is moved as four:
// the fourth is rewritten by the next pixel, so the last one goes alone.
HAST_INLINE void pick(float* y, const float* row, int64_t channels, const Tap* columns, int64_t count) {
  int64_t j = 0;
  if (channels == 3) {
    for (; j + 1 < count; j++) {
      Quad low, high;
      load(low, row + 3 * columns[j].low);
      load(high, row + 3 * columns[j].high);
      const Quad value = (1.0f - columns[j].weight) * low + columns[j].weight * high;
      store(y + 3 * j, value);
    }
  }
  for (; j < count; j++) {
    const float* low = row + channels * columns[j].low;
    const float* high = row + channels * columns[j].high;
    const float right = columns[j].weight, left = 1.0f - right;
    HAST_INDEPENDENT
    for (int64_t k = 0; k < channels; k++) y[j * channels + k] = left * low[k] + right * high[k];
  }
}

// row += the adjoint of pick
HAST_INLINE void put_back(float* row, const float* dy, int64_t channels, const Tap* columns, int64_t count) {
  for (int64_t j = 0; j < count; j++) {
    float* low = row + channels * columns[j].low;
    float* high = row + channels * columns[j].high;
    const float right = columns[j].weight, left = 1.0f - right;
    for (int64_t k = 0; k < channels; k++) {
      const float g = dy[j * channels + k];
      low[k] += left * g;
      high[k] += right * g;  // after low: at the last column they are the same pixel
    }
  }
}

// The output columns [first, first + count) of one image.
HAST_CLONES void gather(float* y, const float* image, const Crop& crop, const Box& box, const Tap* columns,
                        int64_t first, int64_t count) {
  alignas(64) float row[kRow + 16];
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < box.width * c + 4; i++) row[i] = 0.0f;
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap rows = tap(i, crop.out_height, box.height);
    const float down = rows.weight, up = 1.0f - down;
    const bool has_upper = in_image(crop, box, rows.low), has_lower = in_image(crop, box, rows.high);
    const float* upper = image + row_offset(crop, box, rows.low);
    const float* lower = image + row_offset(crop, box, rows.high);
    const int64_t begin = box.begin * c, end = box.end * c;
    if (has_upper && has_lower) {
      HAST_INDEPENDENT
      for (int64_t k = begin; k < end; k++) row[k] = up * upper[k] + down * lower[k];
    } else {
      for (int64_t k = begin; k < end; k++) {
        row[k] = up * (has_upper ? upper[k] : 0.0f) + down * (has_lower ? lower[k] : 0.0f);
      }
    }
    pick(y + (i * crop.out_width + first) * c, row, c, columns, count);
  }
}

HAST_CLONES void scatter(float* image, const float* dy, const Crop& crop, const Box& box, const Tap* columns,
                         int64_t first, int64_t count) {
  alignas(64) float row[kRow];
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap rows = tap(i, crop.out_height, box.height);
    const float down = rows.weight, up = 1.0f - down;
    for (int64_t k = 0; k < box.width * c; k++) row[k] = 0.0f;
    put_back(row, dy + (i * crop.out_width + first) * c, c, columns, count);
    const int64_t begin = box.begin * c, end = box.end * c;
    if (in_image(crop, box, rows.low)) {
      float* upper = image + row_offset(crop, box, rows.low);
      HAST_INDEPENDENT
      for (int64_t k = begin; k < end; k++) upper[k] += up * row[k];
    }
    if (in_image(crop, box, rows.high)) {
      float* lower = image + row_offset(crop, box, rows.high);
      HAST_INDEPENDENT
      for (int64_t k = begin; k < end; k++) lower[k] += down * row[k];
    }
  }
}

// Boxes too wide for the row buffer: the same sums, pixel by pixel.
void gather_wide(float* y, const float* image, const Crop& crop, const Box& box, const Tap* columns, int64_t first,
                 int64_t count) {
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap rows = tap(i, crop.out_height, box.height);
    const float down = rows.weight, up = 1.0f - down;
    const auto at = [&](int64_t row, int64_t column, int64_t k) {
      const bool inside = in_image(crop, box, row) && column >= box.begin && column < box.end;
      return inside ? image[row_offset(crop, box, row) + column * c + k] : 0.0f;
    };
    for (int64_t j = 0; j < count; j++) {
      const Tap& column = columns[j];
      for (int64_t k = 0; k < c; k++) {
        const float left = up * at(rows.low, column.low, k) + down * at(rows.high, column.low, k);
        const float right = up * at(rows.low, column.high, k) + down * at(rows.high, column.high, k);
        y[(i * crop.out_width + first + j) * c + k] = (1.0f - column.weight) * left + column.weight * right;
      }
    }
  }
}

void scatter_wide(float* image, const float* dy, const Crop& crop, const Box& box, const Tap* columns, int64_t first,
                  int64_t count) {
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < crop.out_height; i++) {
    const Tap rows = tap(i, crop.out_height, box.height);
    for (int64_t j = 0; j < count; j++) {
      const Tap& column = columns[j];
      const auto add = [&](int64_t row, int64_t at, float weight) {
        if (!in_image(crop, box, row) || at < box.begin || at >= box.end) return;
        float* to = image + row_offset(crop, box, row) + at * c;
        const float* from = dy + (i * crop.out_width + first + j) * c;
        for (int64_t k = 0; k < c; k++) to[k] += weight * from[k];
      };
      add(rows.low, column.low, (1.0f - rows.weight) * (1.0f - column.weight));
      add(rows.low, column.high, (1.0f - rows.weight) * column.weight);
      add(rows.high, column.low, rows.weight * (1.0f - column.weight));
      add(rows.high, column.high, rows.weight * column.weight);
    }
  }
}

// Calls run(taps, first column, count) for every tile of output columns.
template <class Run>
void for_tiles(const Crop& crop, const Box& box, const Run& run) {
  Tap columns[kTile];
  for (int64_t first = 0; first < crop.out_width; first += kTile) {
    const int64_t count = smaller(kTile, crop.out_width - first);
    for (int64_t j = 0; j < count; j++) {
      columns[j] = tap(box.flip ? crop.out_width - 1 - (first + j) : first + j, crop.out_width, box.width);
    }
    run(columns, first, count);
  }
}

bool narrow(const Crop& crop, const Box& box) { return box.width <= kRow / crop.channels; }

bool same_size(const Crop& crop, const Box& box) {
  return box.height == crop.out_height && box.width == crop.out_width;
}

void gather_same_size(float* y, const float* image, const Crop& crop, const Box& box) {
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < box.height; i++) {
    float* out = y + i * box.width * c;
    if (!in_image(crop, box, i)) {
      clear_floats(out, box.width * c);
      continue;
    }
    const float* row = image + row_offset(crop, box, i);
    if (!box.flip) {
      clear_floats(out, box.begin * c);
      copy_floats(out + box.begin * c, row + box.begin * c, (box.end - box.begin) * c);
      clear_floats(out + box.end * c, (box.width - box.end) * c);
      continue;
    }
    for (int64_t j = 0; j < box.width; j++) {
      const int64_t at = box.width - 1 - j;
      const bool inside = at >= box.begin && at < box.end;
      for (int64_t k = 0; k < c; k++) out[j * c + k] = inside ? row[at * c + k] : 0.0f;
    }
  }
}

// image is clear: every pixel is read at most once.
void scatter_same_size(float* image, const float* dy, const Crop& crop, const Box& box) {
  const int64_t c = crop.channels;
  for (int64_t i = 0; i < box.height; i++) {
    if (!in_image(crop, box, i)) continue;
    const float* from = dy + i * box.width * c;
    float* row = image + row_offset(crop, box, i);
    if (!box.flip) {
      copy_floats(row + box.begin * c, from + box.begin * c, (box.end - box.begin) * c);
      continue;
    }
    for (int64_t at = box.begin; at < box.end; at++) {
      const int64_t j = box.width - 1 - at;
      for (int64_t k = 0; k < c; k++) row[at * c + k] = from[j * c + k];
    }
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
  const Crop crop{height, width, channels, out_height, out_width};
  if (!valid::crop_flip_fwd(y, images, boxes, n, images_count, crop, stream)) return HAST_EARGUMENT;
  const int64_t out_elements = out_height * out_width * channels;
  for_items(stream, n, out_elements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int32_t* fields = boxes + kBoxFields * i;
      float* out = y + i * out_elements;
      if (fields[0] < 0 || fields[0] >= images_count || fields[3] < 1 || fields[4] < 1) {
        fill_nan(out, out_elements);
        continue;
      }
      const float* image = images + fields[0] * height * width * channels;
      const Box box = box_of(crop, fields);
      if (same_size(crop, box)) {
        gather_same_size(out, image, crop, box);
        continue;
      }
      const auto run = narrow(crop, box) ? gather : gather_wide;
      for_tiles(crop, box, [&](const Tap* columns, int64_t first, int64_t count) {
        run(out, image, crop, box, columns, first, count);
      });
    }
  });
  return HAST_OK;
}

int32_t hast_crop_flip_bwd_f32(float* dimages, const float* dy, const int32_t* boxes, int64_t n, int64_t height,
                               int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
                               void* stream) noexcept {
  const Crop crop{height, width, channels, out_height, out_width};
  if (!valid::crop_flip_bwd(dimages, dy, boxes, n, crop, stream)) return HAST_EARGUMENT;
  const int64_t in_elements = height * width * channels;
  const int64_t out_elements = out_height * out_width * channels;
  for_items(stream, n, larger(in_elements, out_elements), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int32_t* fields = boxes + kBoxFields * i;
      float* image = dimages + i * in_elements;
      const float* from = dy + i * out_elements;
      if (fields[3] < 1 || fields[4] < 1) {
        fill_nan(image, in_elements);
        continue;
      }
      clear_floats(image, in_elements);
      const Box box = box_of(crop, fields);
      if (same_size(crop, box)) {
        scatter_same_size(image, from, crop, box);
        continue;
      }
      const auto run = narrow(crop, box) ? scatter : scatter_wide;
      for_tiles(crop, box, [&](const Tap* columns, int64_t first, int64_t count) {
        run(image, from, crop, box, columns, first, count);
      });
    }
  });
  return HAST_OK;
}

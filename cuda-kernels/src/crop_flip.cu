// Crop, bilinear resize (align_corners = false, no antialias) and horizontal flip in one gather, and its adjoint.
//
//   source = max((j + 0.5) box / out - 0.5, 0), low = floor(source), high = min(low + 1, box - 1), t = source - low
//   y = (1-tj) ((1-ti) x[low, low] + ti x[high, low]) + tj ((1-ti) x[low, high] + ti x[high, high]),  j mirrored by
//   flip
//
// [images, height, width, channels] -> [n, out_height, out_width, channels]; pixels outside the image read 0. Positions
// in double (crop.h), weights and values in float32. A box of the output size is copied. Bytes per element: 8, the
// neighbours that share a pixel finding it in the cache.
//
// A block takes a strip of one sample and first tabulates the positions of both axes in shared memory, so that no
// thread computes in double while it moves pixels. Strips are long, but for batches that would leave processors idle
// then. Forward: a thread makes four elements in a row, which are one store of 16 bytes where samples and addresses
// allow it. Backward: a gather too. The low positions rise with the output position, so those that touch a pixel are a
// span on each axis, found by bisection; a thread adds up the few products of its spans, rows outside, in the order of
// the output. Deterministic without atomics, and every pixel is written once.
#include <hast/random.h>

#include "kernel.cuh"
#include "portable/arguments/random.h"
#include "portable/crop.h"
#include "portable/random_boxes.h"

using namespace hast;

namespace {

constexpr int kTabulated = 1024;    // entries of a table at most; what lies beyond is computed where it is needed
constexpr int kMostItems = 4096;    // elements, or groups of channels, of a strip
constexpr int kLeastThreads = 128;  // with work in the first turn

struct Box {
  int64_t image, top, left, height, width;
  bool flip;
};

__device__ Box box_of(const int32_t* fields) {
  return {fields[0], fields[1], fields[2], fields[3], fields[4], fields[5] != 0};
}

__device__ bool same_size(const Crop& crop, const Box& box) {
  return box.height == crop.out_height && box.width == crop.out_width;
}

// Where an output position reads: (1 - weight) of low and weight of the pixel after it.
struct Point {
  int low;
  float weight;
};

__device__ int tabulated(int64_t count) { return static_cast<int>(smaller(kTabulated, count)); }

// The points of one axis; those from position `first` are tabulated.
struct Axis {
  int out, box, first, count;
  Point* table;

  __device__ Axis(int64_t out, int64_t box, int first, int64_t count, Point* table)
      : out(static_cast<int>(out)), box(static_cast<int>(box)), first(first), count(tabulated(count)), table(table) {}

  __device__ Point compute(int position) const {
    const Tap point = tap(position, out, box);
    return {static_cast<int>(point.low), point.weight};
  }

  // The whole block calls it, and meets at a barrier before it reads.
  __device__ void tabulate() const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      table[i] = compute(first + i);
    }
  }

  __device__ Point operator[](int position) const {
    const int i = position - first;
    return i >= 0 && i < count ? table[i] : compute(position);
  }

  __device__ int high(int low) const { return low + 1 < box ? low + 1 : low; }

  // What the pixel takes of the gradient at a position.
  __device__ float weight(int position, int pixel) const {
    const Point point = (*this)[position];
    return (point.low == pixel ? 1.0f - point.weight : 0.0f) + (high(point.low) == pixel ? point.weight : 0.0f);
  }

  // The first position whose low is not below `pixel`.
  __device__ int lower_bound(int pixel) const {
    int begin = 0, end = out;
    while (begin < end) {
      const int middle = begin + (end - begin) / 2;
      if ((*this)[middle].low < pixel) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  }
};

// Output positions [begin, end) that read a pixel.
struct Span {
  int begin, end;
};

// The spans of the pixels of one axis of the image; those from pixel `first` are tabulated.
struct Spans {
  const Axis& axis;
  int64_t start;  // of the box, in the image
  int first, count;
  Span* table;

  __device__ Spans(const Axis& axis, int64_t start, int first, int64_t count, Span* table)
      : axis(axis), start(start), first(first), count(tabulated(count)), table(table) {}

  __device__ Span compute(int pixel) const {
    const int64_t at = pixel - start;
    if (at < 0 || at >= axis.box) return {0, 0};
    return {axis.lower_bound(static_cast<int>(at) - 1), axis.lower_bound(static_cast<int>(at) + 1)};
  }

  __device__ void tabulate() const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      table[i] = compute(first + i);
    }
  }

  __device__ Span operator[](int pixel) const {
    const int i = pixel - first;
    return i >= 0 && i < count ? table[i] : compute(pixel);
  }
};

// How a sample's items are divided among blocks: every strip but the last is `items` long.
struct Cut {
  int64_t strips;
  int items;
  unsigned threads;  // of a block
};

// `turn` is how many items a thread takes at a time.
Cut cut_for(int64_t n, int64_t items, int turn, const Stream& stream) {
  int strip = kMostItems;
  while (strip > kLeastThreads * turn && n * ceil_div(items, strip) < 2 * stream.processors) strip /= 2;
  return {ceil_div(items, strip), strip, static_cast<unsigned>(smaller(kThreads, strip / turn))};
}

// The work of one block: items [begin, begin + count) of one sample's pixels, each of which is `groups` items.
struct Strip {
  int64_t sample, begin;
  int count, groups, width;
  int first_group, first_row, first_column;  // where it begins
  int rows;                                  // that it touches

  __device__ Strip(const Cut& cut, int64_t height, int64_t width, int64_t groups)
      : sample(blockIdx.x / cut.strips),
        begin(blockIdx.x % cut.strips * cut.items),
        count(static_cast<int>(smaller(cut.items, height * width * groups - begin))),
        groups(static_cast<int>(groups)),
        width(static_cast<int>(width)) {
    const int64_t pixel = begin / groups;
    first_group = static_cast<int>(begin - pixel * groups);
    first_row = static_cast<int>(pixel / width);
    first_column = static_cast<int>(pixel % width);
    rows = static_cast<int>(static_cast<unsigned>(first_column + (first_group + count - 1) / this->groups) /
                            static_cast<unsigned>(width)) +
           1;
  }
};

// A place of a strip, and the next one.
struct Place {
  int row, column, group;

  __device__ Place(const Strip& strip, int groups, int item) {
    const unsigned position = static_cast<unsigned>(strip.first_group + item);
    const unsigned pixel = position / static_cast<unsigned>(groups);
    group = static_cast<int>(position - pixel * static_cast<unsigned>(groups));
    const unsigned from_row = static_cast<unsigned>(strip.first_column) + pixel;
    const unsigned down = from_row / static_cast<unsigned>(strip.width);
    row = strip.first_row + static_cast<int>(down);
    column = static_cast<int>(from_row - down * static_cast<unsigned>(strip.width));
  }

  // Whether that is another pixel.
  __device__ bool advance(int groups, int width) {
    if (++group < groups) return false;
    group = 0;
    if (++column == width) {
      column = 0;
      row++;
    }
    return true;
  }
};

__device__ void fill_nan(float* y, int64_t n) {
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) y[i] = nanf("");
}

// The four pixels that one output pixel is blended from; null outside the image.
struct Corners {
  const float *top_left, *top_right, *bottom_left, *bottom_right;
  float down, right;

  __device__ Corners(const float* image, const Crop& crop, const Box& box, const Axis& rows, const Axis& columns,
                     const Place& place) {
    const Point row = rows[place.row];
    const Point column = columns[box.flip ? columns.out - 1 - place.column : place.column];
    const int64_t top = box.top + row.low, bottom = box.top + rows.high(row.low);
    const int64_t left = box.left + column.low, right_column = box.left + columns.high(column.low);
    const bool has_top = top >= 0 && top < crop.height, has_bottom = bottom >= 0 && bottom < crop.height;
    const bool has_left = left >= 0 && left < crop.width;
    const bool has_right = right_column >= 0 && right_column < crop.width;
    const float* upper = image + top * crop.width * crop.channels;
    const float* lower = image + bottom * crop.width * crop.channels;
    top_left = has_top && has_left ? upper + left * crop.channels : nullptr;
    top_right = has_top && has_right ? upper + right_column * crop.channels : nullptr;
    bottom_left = has_bottom && has_left ? lower + left * crop.channels : nullptr;
    bottom_right = has_bottom && has_right ? lower + right_column * crop.channels : nullptr;
    down = row.weight;
    right = column.weight;
  }

  __device__ static float at(const float* pixel, int channel) { return pixel != nullptr ? pixel[channel] : 0.0f; }

  __device__ float blend(int channel) const {
    const float up = 1.0f - down;
    const float at_left = up * at(top_left, channel) + down * at(bottom_left, channel);
    const float at_right = up * at(top_right, channel) + down * at(bottom_right, channel);
    return (1.0f - right) * at_left + right * at_right;
  }
};

// kChannels is the number of channels, or 0 for any. `wide`: four elements in a row may be stored as one.
template <int kChannels>
__global__ void gather(float* y, const float* images, const int32_t* boxes, Crop crop, int64_t images_count, Cut cut,
                       bool wide) {
  HAST_DYNAMIC_SHARED(Point, tables);
  const int channels = kChannels != 0 ? kChannels : static_cast<int>(crop.channels);
  const Strip strip(cut, crop.out_height, crop.out_width, channels);
  float* out = y + strip.sample * crop.out_height * crop.out_width * crop.channels + strip.begin;
  const Box box = box_of(boxes + kBoxFields * strip.sample);
  if (box.image < 0 || box.image >= images_count || box.height < 1 || box.width < 1) {
    fill_nan(out, strip.count);
    return;
  }
  const float* image = images + box.image * crop.height * crop.width * crop.channels;
  const bool same = same_size(crop, box);

  const Axis columns(crop.out_width, box.width, 0, crop.out_width, tables);
  const Axis rows(crop.out_height, box.height, strip.first_row, strip.rows, tables + columns.count);
  columns.tabulate();
  rows.tabulate();
  __syncthreads();

  const int step = 4 * static_cast<int>(blockDim.x);
  for (int item = 4 * static_cast<int>(threadIdx.x); item < strip.count; item += step) {
    Place place(strip, channels, item);
    Corners corners(image, crop, box, rows, columns, place);
    const int rest = strip.count - item;
    float values[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (i >= rest) break;
      values[i] = same ? Corners::at(corners.top_left, place.group) : corners.blend(place.group);
      if (i + 1 < rest && i < 3 && place.advance(channels, strip.width)) {
        corners = Corners(image, crop, box, rows, columns, place);
      }
    }
    if (wide) {
      store4(out + item, make_float4(values[0], values[1], values[2], values[3]));
    } else {
      for (int i = 0; i < 4 && i < rest; i++) out[item + i] = values[i];
    }
  }
}

// A thread sums kGroup channels of a pixel at a time.
template <int kGroup>
__global__ void gather_gradient(float* dimages, const float* dy, const int32_t* boxes, Crop crop, Cut cut) {
  HAST_DYNAMIC_SHARED(Point, tables);
  const int groups = static_cast<int>(crop.channels / kGroup);
  const Strip strip(cut, crop.height, crop.width, groups);
  float* to = dimages + strip.sample * crop.height * crop.width * crop.channels + strip.begin * kGroup;
  const Box box = box_of(boxes + kBoxFields * strip.sample);
  if (box.height < 1 || box.width < 1) {
    fill_nan(to, int64_t{strip.count} * kGroup);
    return;
  }
  const float* from = dy + strip.sample * crop.out_height * crop.out_width * crop.channels;
  const bool same = same_size(crop, box);

  const Axis columns(crop.out_width, box.width, 0, crop.out_width, tables);
  const Axis rows(crop.out_height, box.height, 0, crop.out_height, tables + columns.count);
  Span* span_tables = reinterpret_cast<Span*>(tables + columns.count + rows.count);
  const Spans column_spans(columns, box.left, 0, crop.width, span_tables);
  const Spans row_spans(rows, box.top, strip.first_row, strip.rows, span_tables + column_spans.count);
  columns.tabulate();
  rows.tabulate();
  __syncthreads();
  column_spans.tabulate();
  row_spans.tabulate();
  __syncthreads();

  const int64_t row_elements = crop.out_width * crop.channels;
  const int last_column = columns.out - 1;
  for (int item = static_cast<int>(threadIdx.x); item < strip.count; item += static_cast<int>(blockDim.x)) {
    const Place place(strip, groups, item);
    const int row = static_cast<int>(place.row - box.top), column = static_cast<int>(place.column - box.left);
    Span down = row_spans[place.row], across = column_spans[place.column];
    if (same) {
      // The neighbour's weight is 0, but 0 times infinity is not.
      down.begin = down.begin < down.end ? row : down.end;
      across.begin = across.begin < across.end ? column : across.end;
    }
    float sums[kGroup] = {};
    for (int i = down.begin; i < down.end; i++) {
      float row_sums[kGroup] = {};
      const float* out_row = from + i * row_elements + place.group * kGroup;
      for (int j = across.begin; j < across.end; j++) {
        const float weight = columns.weight(j, column);
        const float* gradient = out_row + (box.flip ? last_column - j : j) * crop.channels;
#pragma unroll
        for (int k = 0; k < kGroup; k++) row_sums[k] += weight * gradient[k];
      }
      const float weight = rows.weight(i, row);
#pragma unroll
      for (int k = 0; k < kGroup; k++) sums[k] += weight * row_sums[k];
    }
#pragma unroll
    for (int k = 0; k < kGroup; k++) to[int64_t{item} * kGroup + k] = sums[k];
  }
}

// Bytes of a table of `count` positions or pixels of an axis; a strip touches at most as many rows as the axis has.
size_t table_bytes(int64_t count) {
  static_assert(sizeof(Point) == sizeof(Span));
  return static_cast<size_t>(smaller(kTabulated, count)) * sizeof(Point);
}

// Kernels count along an axis in 32 bits.
bool countable(const Crop& crop) {
  const int64_t most = larger(larger(crop.height, crop.width), larger(crop.out_height, crop.out_width));
  return larger(most, crop.channels) <= INT32_MAX;
}

}  // namespace

int32_t hast_crop_flip_fwd_f32(float* y, const float* images, const int32_t* boxes, int64_t n, int64_t images_count,
                               int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
                               void* stream) noexcept {
  const Crop crop{height, width, channels, out_height, out_width};
  if (!valid::crop_flip_fwd(y, images, boxes, n, images_count, crop, stream)) return HAST_EARGUMENT;
  if (!countable(crop)) return HAST_EUNSUPPORTED;
  const int64_t elements = out_height * out_width * channels;
  const Stream& on = stream_of(stream);
  const Cut cut = cut_for(n, elements, 4, on);
  const bool wide = elements % 4 == 0 && aligned16(y);
  return launch(channels == 3 ? gather<3> : gather<0>, dim3(static_cast<unsigned>(n * cut.strips)), cut.threads,
                table_bytes(out_width) + table_bytes(out_height), on, y, images, boxes, crop, images_count, cut, wide);
}

int32_t hast_crop_flip_bwd_f32(float* dimages, const float* dy, const int32_t* boxes, int64_t n, int64_t height,
                               int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
                               void* stream) noexcept {
  const Crop crop{height, width, channels, out_height, out_width};
  if (!valid::crop_flip_bwd(dimages, dy, boxes, n, crop, stream)) return HAST_EARGUMENT;
  if (!countable(crop)) return HAST_EUNSUPPORTED;
  const int group = channels == 3 ? 3 : 1;
  const Stream& on = stream_of(stream);
  const Cut cut = cut_for(n, height * width * (channels / group), 1, on);
  return launch(group == 3 ? gather_gradient<3> : gather_gradient<1>, dim3(static_cast<unsigned>(n * cut.strips)),
                cut.threads,
                table_bytes(out_width) + table_bytes(out_height) + table_bytes(width) + table_bytes(height), on,
                dimages, dy, boxes, crop, cut);
}

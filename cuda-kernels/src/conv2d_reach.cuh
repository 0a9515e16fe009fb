// Which pixels of its source a convolution reads, and how a block keeps them in shared memory.
//
// Output pixel m = (n, i, j) meets source pixel (n, i step_h + row, j step_w + column) through each tap, if it exists.
// Numbered through, the pixels of a block of consecutive outputs read one contiguous range of the source (the taps of
// 3x3 reach a row further on both sides), so the range passes to shared memory once, in 16-byte copies, and every tap
// reads it there, whatever the image's width and wherever one image ends and the next begins. A pixel that a tap does
// not have is read from a row of zeros instead. With a single tap the range would hold pixels that no output reads;
// then the table has a row for each output.
#ifndef HAST_CONV2D_REACH_CUH
#define HAST_CONV2D_REACH_CUH

#include "conv2d.cuh"
#include "mma.cuh"

namespace hast {

// 5x5; and of 7x7 with stride 2, what one parity of the adjoint meets.
constexpr int kMostTaps = 25;

struct Tap {
  int row, column;
  int filter;  // u s + v
};

struct Reach {
  Divider image{1}, row{1};               // outputs of an image, of a row of it
  int rows = 0, columns = 0, pixels = 0;  // outputs
  int step_h = 1, step_w = 1;
  int h = 0, w = 0, source_pixels = 0;  // of the source
  bool too_many = false;                // taps
  int taps = 0;
  Tap tap[kMostTaps] = {};
  int nearest = 0, farthest = 0;  // smallest and largest offset of a tap, in source pixels

  void size(int64_t images, int64_t out_rows, int64_t out_columns, int64_t source_h, int64_t source_w) {
    image = Divider(larger(1, out_rows * out_columns));
    row = Divider(larger(1, out_columns));
    rows = static_cast<int>(out_rows);
    columns = static_cast<int>(out_columns);
    pixels = static_cast<int>(images * out_rows * out_columns);
    h = static_cast<int>(source_h);
    w = static_cast<int>(source_w);
    source_pixels = static_cast<int>(images * source_h * source_w);
  }
  void add(int64_t tap_row, int64_t tap_column, int64_t filter) {
    if (taps == kMostTaps) {
      too_many = true;
      return;
    }
    tap[taps] = {static_cast<int>(tap_row), static_cast<int>(tap_column), static_cast<int>(filter)};
    const int at = offset(taps);
    nearest = taps == 0 || at < nearest ? at : nearest;
    farthest = taps == 0 || at > farthest ? at : farthest;
    taps++;
  }

  __host__ __device__ int offset(int t) const { return tap[t].row * w + tap[t].column; }
  __host__ __device__ bool single() const { return taps == 1; }

  // Whether all taps are here and the source pixel of an output grows with its number, from row to row and from image
  // to image. Much padding makes an output larger than its source, and it does not.
  bool usable() const {
    const int64_t across = (larger(columns, 1) - 1) * step_w, down = (larger(rows, 1) - 1) * step_h * w;
    return !too_many && across <= int64_t{step_h} * w && down + across <= int64_t{h} * w;
  }
  // Most rows of the table for so many consecutive outputs.
  int64_t table_rows(int64_t outputs) const {
    if (single()) return outputs;
    const int64_t row_ends = ceil_div(outputs - 1, columns),
                  image_ends = ceil_div(outputs - 1, int64_t{rows} * columns);
    const int64_t span = (outputs - 1) * step_w +
                         row_ends * larger(0, int64_t{step_h} * w - int64_t{step_w} * columns) +
                         image_ends * larger(0, (h - int64_t{step_h} * rows) * w) + farthest - nearest + 1;
    return smaller(span, source_pixels);
  }

  // Source pixel of output m through a tap without offset; grows with m.
  __device__ int base(int m) const {
    const Division in(m, image), at(in.remainder, row);
    return (in.quotient * h + at.quotient * step_h) * w + at.remainder * step_w;
  }
  // Bit t: whether output m has a pixel through tap t.
  __device__ unsigned present(int m) const {
    const Division in(m, image), at(in.remainder, row);
    unsigned bits = 0;
    for (int t = 0; t < taps; t++) {
      const int a = at.quotient * step_h + tap[t].row, b = at.remainder * step_w + tap[t].column;
      if (a >= 0 && a < h && b >= 0 && b < w) bits |= 1u << t;
    }
    return bits;
  }
};

// What the forward map reads of x.
inline Reach forward_reach(const Conv& g) {
  Reach reach;
  reach.size(g.n, g.p, g.q, g.h, g.w);
  reach.step_h = static_cast<int>(g.stride_h);
  reach.step_w = static_cast<int>(g.stride_w);
  for (int64_t u = 0; u < g.r; u++) {
    for (int64_t v = 0; v < g.s; v++) reach.add(u * g.dilation_h - g.top, v * g.dilation_w - g.left, u * g.s + v);
  }
  return reach;
}

// What the pixels (a stride_h + row, b stride_w + column) of dx read of dy: of the taps, those that do not fall between
// the strides.
inline Reach adjoint_reach(const Conv& g, int64_t row, int64_t column) {
  Reach reach;
  reach.size(g.n, ceil_div(g.h - row, g.stride_h), ceil_div(g.w - column, g.stride_w), g.p, g.q);
  for (int64_t u = 0; u < g.r; u++) {
    for (int64_t v = 0; v < g.s; v++) {
      const int64_t a = row + g.top - u * g.dilation_h, b = column + g.left - v * g.dilation_w;
      if (a % g.stride_h == 0 && b % g.stride_w == 0) reach.add(a / g.stride_h, b / g.stride_w, u * g.s + v);
    }
  }
  return reach;
}

// The range of the source that outputs [first, end) read: rows of the table.
struct Range {
  int start, count;
  __device__ Range(const Reach& reach, int first, int end) {
    if (reach.single()) {
      start = 0;
      count = end - first;
    } else {
      const int stop = reach.base(end - 1) + reach.farthest + 1;
      start = max(0, reach.base(first) + reach.nearest);
      count = min(stop, reach.source_pixels) - start;
    }
  }
};

// The row that comes i-th if within every kSlow kFast rows those kSlow apart come together: 0, kSlow, 2 kSlow .., 1 ...
// Eight lanes write 16 bytes each at a time, and where neighbouring rows would share banks these do not.
template <int kSlow, int kFast>
__device__ inline int spread_row(int i) {
  return i / (kSlow * kFast) * (kSlow * kFast) + i % kFast * kSlow + i / kFast % kSlow;
}

// So many rows in whole groups, of eight at most: a last one that is not whole has rows beyond the end.
__device__ inline int spread_rows(int rows) { return (rows + 7) / 8 * 8; }

// What a thread does with its share of the values of a stage: start copies, and later, when its own have arrived, round
// them to what a tensor core takes.
struct CopyItem {
  template <int kWide>
  static __device__ void apply(float* to, const float* from, bool present) {
    copy_async<kWide>(to, from, present);
  }
};
struct RoundItem {
  template <int kWide>
  static __device__ void apply(float* to, const float*, bool) {
    if constexpr (kWide == 4) {
      // Read as a whole: nvcc reads the parts of a reference one by one.
      const float4 v = *reinterpret_cast<const float4*>(to);
      *reinterpret_cast<float4*>(to) = make_float4(to_tf32(v.x), to_tf32(v.y), to_tf32(v.z), to_tf32(v.w));
    } else {
      *to = to_tf32(*to);
    }
  }
};

}  // namespace hast

#endif

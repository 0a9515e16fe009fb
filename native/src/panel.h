// How the kernels of the norm family walk a matrix [rows, c] with c innermost, any c.
//
// Per-channel values are repeated up to a `period` that is a multiple of c and, where that is short enough, of the
// unrolled vector: one flat loop over a period needs neither c nor a remainder. Beyond kMaxPeriod channels the matrix
// is cut into column tiles instead, and a period is one row of a tile. Sums are kept per element of the period in
// float32 over one block of about kBlockElements (it stays in the L1 cache), then folded to channels in double.
//
// Rows are cut into pieces by sizes alone; every piece keeps its sums in the workspace, and they are combined in order.
#ifndef HAST_PANEL_H
#define HAST_PANEL_H

#include "kernel.h"
#include "vector.h"

namespace hast {

constexpr int64_t kMaxPeriod = 1024;
constexpr int64_t kMinPeriod = 256;
constexpr int64_t kUnrolled = 64;
constexpr int64_t kBlockElements = 4096;  // of a block that is read more than once: a third of an L1 cache
constexpr int64_t kFoldGroups = 64;

// Elements of the arrays that hold a period. Not a multiple of a page: arrays that are walked together must not compete
// for the same sets of the L1 cache, nor a store be mistaken for an older load's address.
constexpr int64_t kPitch = kMaxPeriod + 80;

struct Panel {
  int64_t first;       // first channel of the tile
  int64_t width;       // channels of the tile
  int64_t period;      // elements of one group
  int64_t stride;      // elements between groups
  int64_t group_rows;  // rows of one group
  int64_t block_rows;  // rows of a block that is read more than once
  int64_t fold_rows;   // rows between two folds
};

inline int64_t panels(int64_t c) { return ceil_div(c, kMaxPeriod); }

inline Panel panel(int64_t c, int64_t index) {
  Panel p;
  p.first = index * kMaxPeriod;
  p.width = smaller(kMaxPeriod, c - p.first);
  if (c > kMaxPeriod) {
    p.period = p.width;
    p.stride = c;
  } else {
    int64_t common = c;  // least common multiple of c and kUnrolled, a power of two
    while (common % kUnrolled != 0 && common <= kMaxPeriod) common *= 2;
    if (common > kMaxPeriod) common = c;
    p.period = common * larger(1, kMinPeriod / common);
    p.stride = p.period;
  }
  p.group_rows = p.period / p.width;
  p.block_rows = p.group_rows * larger(1, kBlockElements / p.period);
  p.fold_rows = p.group_rows * kFoldGroups;
  return p;
}

struct Group {
  int64_t offset;  // from the first row of the block and the first channel of the tile
  int64_t length;
};

HAST_INLINE int64_t groups(const Panel& p, int64_t rows) { return (rows + p.group_rows - 1) / p.group_rows; }

HAST_INLINE Group group(const Panel& p, int64_t rows, int64_t index) {
  const int64_t left = (rows - index * p.group_rows) * p.width;
  return {index * p.stride, left < p.period ? left : p.period};
}

// Repeats the first `width` elements up to the period, by doubling what is there.
HAST_INLINE void repeat(float* values, const Panel& p) {
  for (int64_t filled = p.width; filled < p.period; filled *= 2) {
    const int64_t count = filled < p.period - filled ? filled : p.period - filled;
    HAST_INDEPENDENT
    for (int64_t i = 0; i < count; i++) values[filled + i] = values[i];
  }
}

HAST_INLINE void clear(float* values, const Panel& p) {
  for (int64_t i = 0; i < p.period; i++) values[i] = 0.0f;
}

// sums[channel] += the elements of `values` that stand for it, halved pairwise in place while they are an even number.
HAST_INLINE void fold(double* __restrict sums, float* __restrict values, const Panel& p) {
  int64_t length = p.period;
  for (int64_t copies = p.group_rows; copies % 2 == 0; copies /= 2) {
    length /= 2;
    HAST_INDEPENDENT
    for (int64_t i = 0; i < length; i++) values[i] += values[length + i];
  }
  for (int64_t k = 0; k < length; k += p.width) {
    HAST_INDEPENDENT
    for (int64_t i = 0; i < p.width; i++) sums[i] += static_cast<double>(values[k + i]);
  }
}

// Mean and centred sum of squares of `count` rows, per channel.
struct Moments {
  double count;
  double mean[kPitch];
  double squares[kPitch];
};

// Chan, Golub & LeVeque: adds the moments of another `count` rows.
HAST_INLINE void combine(double& count, double* __restrict mean, double* __restrict squares, double other_count,
                         const double* __restrict other_mean, const double* __restrict other_squares, int64_t width) {
  const double total = count + other_count;
  const double share = other_count / total;
  const double cross = count * share;
  for (int64_t i = 0; i < width; i++) {
    const double delta = other_mean[i] - mean[i];
    mean[i] += delta * share;
    squares[i] += other_squares[i] + delta * delta * cross;
  }
  count = total;
}

constexpr int64_t kVectors = kUnrolled / kLanes;

// sums[element of the period] = sum over the rows of x, or of (x - centre)². Every column stays in registers. The
// second sum, whose x is in the L1 cache, asks for the memory that comes next: otherwise it would wait for this
// arithmetic.
template <bool kSquares>
HAST_INLINE void sum_block(float* __restrict sums, const float* x, const float* center, const float* soon,
                           const Panel& p, int64_t rows) {
  const int64_t full = rows / p.group_rows;
  int64_t column = 0;
  for (; column + kUnrolled <= p.period; column += kUnrolled) {
    Vector sum[kVectors] = {};
    Vector middle[kVectors] = {};
    if constexpr (kSquares) {
      for (int64_t k = 0; k < kVectors; k++) load(middle[k], center + column + k * kLanes);
    }
    const float* from = x + column;
    for (int64_t g = 0; g < full; g++, from += p.stride) {
      for (int64_t k = 0; k < kVectors; k++) {
        Vector v;
        load(v, from + k * kLanes);
        if constexpr (kSquares) {
          __builtin_prefetch(soon + (from - x) + k * kLanes);
          v -= middle[k];
          v *= v;
        }
        sum[k] += v;
      }
    }
    for (int64_t k = 0; k < kVectors; k++) store(sums + column + k * kLanes, sum[k]);
  }
  for (int64_t i = column; i < p.period; i++) sums[i] = 0.0f;
  for (int64_t g = 0; g < groups(p, rows); g++) {
    const Group at = group(p, rows, g);
    const float* from = x + at.offset;
    HAST_INDEPENDENT
    for (int64_t i = g < full ? column : 0; i < at.length; i++) {
      const float v = kSquares ? from[i] - center[i] : from[i];
      sums[i] += kSquares ? v * v : v;
    }
  }
}

// Adds one block, read twice: its mean, then its squares about that mean. `soon` is the block needed after this one.
HAST_INLINE void add_block(Moments& moments, const float* x, const float* soon, const Panel& p, int64_t rows) {
  alignas(64) float sums[kPitch];
  alignas(64) float center[kPitch];
  alignas(64) double mean[kPitch];
  alignas(64) double squares[kPitch];
  sum_block<false>(sums, x, nullptr, nullptr, p, rows);
  for (int64_t i = 0; i < p.width; i++) mean[i] = squares[i] = 0.0;
  fold(mean, sums, p);
  const double share = 1.0 / static_cast<double>(rows);
  for (int64_t i = 0; i < p.width; i++) {
    mean[i] *= share;
    center[i] = static_cast<float>(mean[i]);
  }
  repeat(center, p);
  sum_block<true>(sums, x, center, soon, p, rows);
  fold(squares, sums, p);
  combine(moments.count, moments.mean, moments.squares, static_cast<double>(rows), mean, squares, p.width);
}

// Pieces of a tensor [n, hw, c]: each holds some whole images, or a segment of the rows of one.
struct Split {
  int64_t n, hw;
  int64_t images;        // per piece; 1 when images are cut
  int64_t segments;      // per image
  int64_t segment_rows;  // rows of a segment
  int64_t pieces;
};

struct Part {
  int64_t first_image, last_image;  // [first, last)
  int64_t first_row, rows;          // of every image of the part
  int64_t segment;
};

// A piece has at least 64 KiB of elements, and 64 rows so that its sums stay small beside them; there are about 256
// pieces at most, which is enough for any CPU and cheap to combine.
inline Split split(int64_t n, int64_t hw, int64_t c) {
  const int64_t image = hw * c;
  const int64_t target = larger(larger(kPieceElements, ceil_div(n * image, 256)), 64 * c);
  Split s{n, hw, 1, 1, hw, n};
  if (image >= 2 * target) {
    s.segment_rows = ceil_div(hw, ceil_div(image, target));
    s.segments = ceil_div(hw, s.segment_rows);
    s.pieces = n * s.segments;
  } else {
    s.images = larger(1, target / image);
    s.pieces = ceil_div(n, s.images);
  }
  return s;
}

HAST_INLINE Part part(const Split& s, int64_t piece) {
  Part p;
  p.segment = piece % s.segments;
  p.first_image = piece / s.segments * s.images;
  p.last_image = p.first_image + s.images < s.n ? p.first_image + s.images : s.n;
  p.first_row = p.segment * s.segment_rows;
  p.rows = p.first_row + s.segment_rows < s.hw ? s.segment_rows : s.hw - p.first_row;
  return p;
}

inline double part_count(const Split& s, int64_t piece) {
  const Part p = part(s, piece);
  return static_cast<double>((p.last_image - p.first_image) * p.rows);
}

// Pieces of a plain matrix.
inline Split split_rows(int64_t rows, int64_t c) { return split(1, rows, c); }

// Pieces of a tensor: where nothing is kept for each image, the images are one long matrix.
inline Split split(int64_t n, int64_t hw, int64_t c, bool per_image) {
  return per_image ? split(n, hw, c) : split_rows(n * hw, c);
}
inline int64_t most_pieces(int64_t n, int64_t hw, int64_t c) {
  return larger(split(n, hw, c, true).pieces, split(n, hw, c, false).pieces);
}

// y[channel] = the sum of what the pieces left in partial [pieces, c].
inline void sum_pieces(float* y, const double* partial, const Split& s, int64_t c) {
  for (int64_t i = 0; i < c; i++) {
    double sum = 0.0;
    for (int64_t piece = 0; piece < s.pieces; piece++) sum += partial[piece * c + i];
    y[i] = static_cast<float>(sum);
  }
}

// partial holds {mean[c], squares[c]} of every piece at `step` doubles; writes the moments of the whole.
void combine_moments(float* mean, float* variance, const double* partial, int64_t step, const Split& s, int64_t c,
                     void* stream);

}  // namespace hast

#endif

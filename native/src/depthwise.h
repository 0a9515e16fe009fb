// Pieces shared by the three directions of the CPU depthwise convolution: weights with the channels innermost, how to
// go about memory, and the sweep along rows that the forward map and its adjoint have in common.
#ifndef HAST_DEPTHWISE_H
#define HAST_DEPTHWISE_H

#include "conv2d_common.h"
#include "kernel.h"

namespace hast::depthwise {

using conv::Geometry;
using conv::Isa;
using conv::Vector;

// Filters are packed as [blocks of kLanes channels][r s][kLanes]: neighbouring channels are one vector, and all taps of
// a vector lie together, which a distance of c between them would map to few sets of the nearest cache.
inline int64_t packed_floats(const Geometry& g) { return g.r * g.s * round_up(g.c, conv::kLanes); }

inline int64_t packed_bytes(const Geometry& g) { return bytes_of<float>(conv::kAlignment + packed_floats(g)); }

// weight [c, r s], packed.
inline const float* packed_filters(void* workspace, const float* weight, const Geometry& g) {
  float* packed = conv::aligned(workspace);
  const int64_t taps = g.r * g.s;
  for (int64_t block = 0; block < g.c; block += conv::kLanes) {
    const int64_t lanes = smaller(conv::kLanes, g.c - block);
    for (int64_t tap = 0; tap < taps; tap++) {
      for (int64_t lane = 0; lane < lanes; lane++) {
        packed[block * taps + tap * conv::kLanes + lane] = weight[(block + lane) * taps + tap];
      }
    }
  }
  return packed;
}

// Where the first tap of a channel is among packed filters of `taps` taps.
HAST_INLINE int64_t packed_index(int64_t channel, int64_t taps) {
  const int64_t lane = channel % conv::kLanes;
  return (channel - lane) * taps + lane;
}

int64_t partial_bytes(const Geometry& g);

// The forward map of one image, or one phase of its adjoint:
//   out[i][t] = (out[i][t] +) (bias +)
//               sum_{u < rows, v < taps} in[top + i row_step + u row_gap][column + t step + v gap] weight[u][v],
// t < count, all of them vectors of c channels; what lies outside in[height][width] counts as 0. The terms are in the
// order of `in`; the strides of the weights make it the order of the filter or the reverse.
struct Sweep {
  float* out;
  int64_t out_row_step, out_step, count;
  const float* in;
  int64_t height, width, top, row_step, row_gap, column, step, gap;
  const float* weight;  // packed, from the first tap on
  int64_t filter_taps, weight_row_step, weight_tap_step;
  int64_t rows, taps;
  int64_t c;
  const float* bias = nullptr;
  bool accumulate;
  bool foresee;  // foresees
  bool stream;   // streams()
};

// What a sum of kWidth channels begins with.
template <int kWidth>
HAST_INLINE void start(Vector<kWidth>& sum, const Sweep& sweep, int64_t channel) {
  sum = Vector<kWidth>{};
  if (sweep.bias != nullptr) sum = HAST_VECTOR(kWidth, sweep.bias + channel);
}

// An output row beside the input rows that lie inside.
struct Row {
  float* out;
  const float* in;     // column 0 of the first of them
  const float* ahead;  // column 0 of the row below the window
  const float* weight;
  int64_t rows;

  Row(const Sweep& sweep, int64_t i) {
    const int64_t top = sweep.top + i * sweep.row_step;
    const int64_t u = ceil_div(larger(0, -top), sweep.row_gap);
    out = sweep.out + i * sweep.out_row_step;
    in = sweep.in + (top + u * sweep.row_gap) * sweep.width * sweep.c;
    ahead = sweep.in + (top + sweep.rows * sweep.row_gap) * sweep.width * sweep.c;
    weight = sweep.weight + u * sweep.weight_row_step;
    rows = larger(0, smaller(sweep.rows, ceil_div(sweep.height - top, sweep.row_gap)) - u);
  }
};

// The compiler would derive every address from one base until it is out of registers: it may not look through this.
template <class T>
HAST_INLINE T* hold(T* address) {
  asm("" : "+r"(address));
  return address;
}

// kCount neighbouring pixels, `step` apart: three of them share a base.
template <int kCount, class T>
struct Neighbors {
  T* base[(kCount + 2) / 3];
  int64_t step;

  HAST_INLINE Neighbors(T* first, int64_t step_) : step(step_) {
#pragma GCC unroll 8
    for (int b = 0; b < (kCount + 2) / 3; b++) base[b] = hold(first + 3 * b * step);
  }
  HAST_INLINE T* operator[](int k) const { return base[k / 3] + k % 3 * step; }
  HAST_INLINE void advance(int64_t by) {
#pragma GCC unroll 8
    for (int b = 0; b < (kCount + 2) / 3; b++) base[b] += by;
  }
};

// Floats of the operand and the result that have an element for each pixel.
inline int64_t floats(const Geometry& g) { return g.n * (g.h * g.w + g.p * g.q) * g.c; }

// Whether they are more than the caches hold for sure, 16 MiB; what those hold need not be fetched ahead.
inline bool foresees(const Geometry& g) { return floats(g) > 1 << 22; }

// Whether the result goes past the caches, which cannot hold it beside the operand (32 MiB together): a line that is
// not read before it is written saves a third of the traffic. Only whole lines do.
inline bool streams(const Geometry& g, const float* out) {
  return floats(g) > 1 << 23 && g.c % conv::kLanes == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0;
}

// Fetches the lines of kCount floats. The blocks of a row read some thirty streams at once, too many for the hardware
// to foresee, so each block fetches what its successor in the next row reads first, a few lines at a time: more would
// wait for each other.
template <int kCount>
HAST_INLINE void foresee(const float* address) {
  address = hold(address);
#pragma GCC unroll 16
  for (int i = 0; i < kCount; i += conv::kLanes) __builtin_prefetch(address + i, 0, 2);
}

// Most pixels of a row that share their inputs in registers.
constexpr int kPixels = 8;

// The sums of kOutputs pixels, or of `count` at an edge.
template <int kWidth, int kOutputs, bool kEdge>
HAST_INLINE void store(const Sweep& sweep, float* out, int64_t count, const Vector<kWidth> (&sum)[kOutputs]) {
  const Neighbors<kOutputs, float> pixels(out, sweep.out_step);
  const auto each = [&](const auto& write) HAST_LAMBDA {
#pragma GCC unroll 8
    for (int k = 0; k < kOutputs; k++) {
      if (kEdge && k >= count) break;
      write(*reinterpret_cast<Vector<kWidth>*>(pixels[k]), sum[k]);
    }
  };
  if (sweep.accumulate) {
    each([](Vector<kWidth>& to, const Vector<kWidth>& value) HAST_LAMBDA { to += value; });
#if defined(__x86_64__)
  } else if (kWidth >= 8 && sweep.stream) {
    each([](Vector<kWidth>& to, const Vector<kWidth>& value) HAST_LAMBDA {
      asm volatile("vmovntps %1, %0" : "=m"(to) : "v"(value));
    });
#endif
  } else {
    each([](Vector<kWidth>& to, const Vector<kWidth>& value) HAST_LAMBDA { to = value; });
  }
}

// kOutputs pixels from t on, channels [first, last): kTaps taps, kStep apart. An input is loaded once for all the
// pixels and taps it meets. At an edge up to kTaps - 1 columns on the left and any on the right lie outside, or there
// are fewer pixels.
template <int kTaps, int kStep, bool kEdge>
struct Block {
  static constexpr int kOutputs = kPixels / kStep;
  static constexpr int kColumns = (kOutputs - 1) * kStep + kTaps;

  template <int kWidth>
  static HAST_INLINE void channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * kStep;
    const int64_t row_step = sweep.row_gap * sweep.width * sweep.c;
    const float* in = line.in + column * sweep.c;
    const float* ahead = line.ahead + (column + kTaps - 1) * sweep.c;
    float* out = line.out + t * sweep.out_step;
    const int64_t count = sweep.count - t;
    const int64_t right = sweep.width - column;
    for (int64_t channel = first; channel < last; channel += kWidth) {
      Vector<kWidth> sum[kOutputs];
#pragma GCC unroll 8
      for (int k = 0; k < kOutputs; k++) start<kWidth>(sum[k], sweep, channel);
      Neighbors<kColumns, const float> row(in + channel, sweep.c);
      Neighbors<kTaps, const float> weight(line.weight + packed_index(channel, sweep.filter_taps),
                                           sweep.weight_tap_step);
      const auto add_row = [&]() HAST_LAMBDA {
        Vector<kWidth> tap[kTaps];
#pragma GCC unroll 8
        for (int v = 0; v < kTaps; v++) tap[v] = HAST_VECTOR(kWidth, weight[v]);
#pragma GCC unroll 32
        for (int m = 0; m < kColumns; m++) {
          if (kEdge && m < kTaps - 1 && column + m < 0) continue;
          if (kEdge && m >= right) break;
          const Vector<kWidth> x = HAST_VECTOR(kWidth, row[m]);
#pragma GCC unroll 8
          for (int v = 0; v < kTaps; v++) {
            if (m >= v && (m - v) % kStep == 0 && (m - v) / kStep < kOutputs) sum[(m - v) / kStep] += x * tap[v];
          }
        }
        row.advance(row_step);
        weight.advance(sweep.weight_row_step);
      };
      if (kWidth > 1 && line.rows == 3) {
        // Most of them; without the loop a twentieth faster.
        add_row();
        add_row();
        add_row();
      } else {
        for (int64_t u = 0; u < line.rows; u++) add_row();
      }
      if (sweep.foresee) {
#pragma GCC unroll 2
        for (int d = 0; d < kStep; d++)
          foresee<kOutputs * kStep * kWidth>(ahead + d * row_step + channel * kOutputs * kStep);
        const bool dense = sweep.out_step == sweep.c;
        if (dense && !sweep.stream) foresee<kOutputs * kWidth>(out + sweep.out_row_step + channel * kOutputs);
      }
      store<kWidth, kOutputs, kEdge>(sweep, out + channel, count, sum);
    }
  }
};

// One pixel of any window, part of which may lie outside. Without gaps its taps lie side by side.
template <bool kGaps>
struct Anywhere {
  template <int kWidth>
  static HAST_INLINE void channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * sweep.step;
    const int64_t gap = kGaps ? sweep.gap : 1;
    const int64_t row_step = sweep.row_gap * sweep.width * sweep.c;
    const int64_t column_step = gap * sweep.c;
    const int64_t begin = ceil_div(larger(0, -column), gap);
    const int64_t end = smaller(sweep.taps, ceil_div(sweep.width - column, gap));
    for (int64_t channel = first; channel < last; channel += kWidth) {
      Vector<kWidth> sum;
      start<kWidth>(sum, sweep, channel);
      const float* row = line.in + column * sweep.c + channel;
      const float* weight = line.weight + packed_index(channel, sweep.filter_taps);
      for (int64_t u = 0; u < line.rows; u++, row += row_step, weight += sweep.weight_row_step) {
        for (int64_t v = begin; v < end; v++) {
          sum += HAST_VECTOR(kWidth, row + v * column_step) * HAST_VECTOR(kWidth, weight + v * sweep.weight_tap_step);
        }
      }
      Vector<kWidth>& out = *reinterpret_cast<Vector<kWidth>*>(line.out + t * sweep.out_step + channel);
      out = sweep.accumulate ? out + sum : sum;
    }
  }
};

// Pixels [begin, end) of a row, one by one.
template <int kWidth, bool kGaps>
HAST_INLINE void each_pixel(const Sweep& sweep, const Row& line, int64_t begin, int64_t end) {
  const int64_t whole = sweep.c / kWidth * kWidth;
  const int64_t quads = sweep.c / 4 * 4;
  for (int64_t t = begin; t < end; t++) {
    Anywhere<kGaps>::template channels<kWidth>(sweep, line, t, 0, whole);
    if (kWidth > 4) Anywhere<kGaps>::template channels<4>(sweep, line, t, whole, quads);
    Anywhere<kGaps>::template channels<1>(sweep, line, t, quads, sweep.c);
  }
}

// A row in blocks. The channels are the inner loop: memory is read and written in order.
template <int kWidth, int kTaps, int kStep>
HAST_INLINE void in_blocks(const Sweep& sweep, const Row& line) {
  using Inside = Block<kTaps, kStep, false>;
  using Edge = Block<kTaps, kStep, true>;
  const int64_t whole = sweep.c / kWidth * kWidth;
  const int64_t quads = sweep.c / 4 * 4;
  // The windows of the first pixels lie outside where the padding is as long as the filter.
  const int64_t start = smaller(sweep.count, ceil_div(larger(0, 1 - kTaps - sweep.column), kStep));
  each_pixel<kWidth, false>(sweep, line, 0, start);
  for (int64_t t = start; t < sweep.count; t += Inside::kOutputs) {
    const int64_t column = sweep.column + t * kStep;
    if (t + Inside::kOutputs <= sweep.count && column >= 0 && column + Inside::kColumns <= sweep.width) {
      Inside::template channels<kWidth>(sweep, line, t, 0, whole);
    } else {
      Edge::template channels<kWidth>(sweep, line, t, 0, whole);
    }
    if (kWidth > 4) Edge::template channels<4>(sweep, line, t, whole, quads);
    Edge::template channels<1>(sweep, line, t, quads, sweep.c);
  }
}

// Output rows [begin, end).
template <int kWidth>
HAST_INLINE void sweep_rows(const Sweep& sweep, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const Row line(sweep, i);
    const bool dense = sweep.gap == 1;
    if (sweep.step == 1 && sweep.taps == 1) {
      in_blocks<kWidth, 1, 1>(sweep, line);
    } else if (dense && sweep.step == 1 && sweep.taps == 2) {
      in_blocks<kWidth, 2, 1>(sweep, line);
    } else if (dense && sweep.step == 1 && sweep.taps == 3) {
      in_blocks<kWidth, 3, 1>(sweep, line);
    } else if (dense && sweep.step == 2 && sweep.taps == 3) {
      in_blocks<kWidth, 3, 2>(sweep, line);
    } else if (dense) {
      each_pixel<kWidth, false>(sweep, line, 0, sweep.count);
    } else {
      each_pixel<kWidth, true>(sweep, line, 0, sweep.count);
    }
  }
}

// Runs body(image, begin, end) over bands of the `rows` rows of n images. A band reads the rows around it again, so it
// is some pieces of kernel.h long.
template <class Body>
void for_bands(void* stream, int64_t n, int64_t rows, int64_t row_elements, const Body& body) {
  const int64_t bands = ceil_div(rows, larger(2, 2 * kPieceElements / row_elements));
  parallel_for(stream, n * bands, [&](int64_t task) {
    const int64_t band = task % bands;
    body(task / bands, band * rows / bands, (band + 1) * rows / bands);
  });
}

// Output rows [begin, end) of the sweep for the instruction set of the processor; defined beside the forward kernel.
void run_sweep_rows(const Sweep& sweep, int64_t begin, int64_t end);

}  // namespace hast::depthwise

#endif

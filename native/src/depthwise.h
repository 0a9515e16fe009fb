/* Pieces shared by the three directions of the CPU depthwise convolution: weights with the channels innermost, how to
 * go about memory, and the sweep along rows that the forward map and its adjoint have in common. */
#ifndef HAST_DEPTHWISE_H
#define HAST_DEPTHWISE_H

#include "conv2d_common.h"
#include "kernel.h"

namespace hast::depthwise {

using conv::Geometry;
using conv::Isa;
using conv::Vector;

/* The arguments of conv.h's depthwise functions: a filter for each channel. */
inline Geometry GeometryOf(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, const int32_t* window) {
  return Geometry(n, h, w, c, c, r, s, c, window);
}

/* Filters are packed as [blocks of kLanes channels][r s][kLanes]: neighbouring channels are one vector, and all taps of
 * a vector lie together, which a distance of c between them would map to few sets of the nearest cache. */
inline int64_t PackedFloats(const Geometry& g) { return g.r * g.s * conv::RoundUp(g.c, conv::kLanes); }

inline int64_t PackedBytes(const Geometry& g) {
  return conv::kAlignment + PackedFloats(g) * static_cast<int64_t>(sizeof(float));
}

/* weight [c, r s], packed. */
inline const float* Packed(void* workspace, const float* weight, const Geometry& g) {
  float* packed = conv::Align(workspace);
  const int64_t taps = g.r * g.s;
  for (int64_t block = 0; block < g.c; block += conv::kLanes) {
    const int64_t lanes = smaller(conv::kLanes, g.c - block);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        packed[block * taps + tap * conv::kLanes + lane] = weight[(block + lane) * taps + tap];
      }
    }
  }
  return packed;
}

/* Where the first tap of a channel is among packed filters of `taps` taps. */
HAST_INLINE int64_t PackedIndex(int64_t channel, int64_t taps) {
  const int64_t lane = channel % conv::kLanes;
  return (channel - lane) * taps + lane;
}

int64_t PartialBytes(const Geometry& g);

/* The forward map of one image, or one phase of its adjoint:
 *   out[i][t] = (out[i][t] +)
 *               sum_{u < rows, v < taps} in[top + i row_step + u row_gap][column + t step + v gap] weight[u][v],
 * t < count, all of them vectors of c channels; what lies outside in[height][width] counts as 0. The terms are in the
 * order of `in`; the strides of the weights make it the order of the filter or the reverse. */
struct Sweep {
  float* out;
  int64_t out_row_step, out_step, count;
  const float* in;
  int64_t height, width, top, row_step, row_gap, column, step, gap;
  const float* weight; /* packed, from the first tap on */
  int64_t filter_taps, weight_row_step, weight_tap_step;
  int64_t rows, taps;
  int64_t c;
  bool accumulate;
  bool foresee; /* Foresees */
  bool stream;  /* Streams */
};

/* An output row beside the input rows that lie inside. */
struct Row {
  float* out;
  const float* in;    /* column 0 of the first of them */
  const float* ahead; /* column 0 of the row below the window */
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

/* The compiler would derive every address from one base until it is out of registers: it may not look through this. */
template <class T>
HAST_INLINE T* Hold(T* address) {
  asm("" : "+r"(address));
  return address;
}

/* N neighbouring pixels, `step` apart: three of them share a base. */
template <int N, class T>
struct Neighbors {
  T* base[(N + 2) / 3];
  int64_t step;

  HAST_INLINE Neighbors(T* first, int64_t step_) : step(step_) {
#pragma GCC unroll 8
    for (int b = 0; b < (N + 2) / 3; ++b) base[b] = Hold(first + 3 * b * step);
  }
  HAST_INLINE T* operator[](int k) const { return base[k / 3] + k % 3 * step; }
  HAST_INLINE void Advance(int64_t by) {
#pragma GCC unroll 8
    for (int b = 0; b < (N + 2) / 3; ++b) base[b] += by;
  }
};

/* Floats of the operand and the result that have an element for each pixel. */
inline int64_t Floats(const Geometry& g) { return g.n * (g.h * g.w + g.p * g.q) * g.c; }

/* Whether they are more than the caches hold for sure, 16 MiB; what those hold need not be fetched ahead. */
inline bool Foresees(const Geometry& g) { return Floats(g) > 1 << 22; }

/* Whether the result goes past the caches, which cannot hold it beside the operand (32 MiB together): a line that is
 * not read before it is written saves a third of the traffic. Only whole lines do. */
inline bool Streams(const Geometry& g, const float* out) {
  return Floats(g) > 1 << 23 && g.c % conv::kLanes == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0;
}

/* Fetches the lines of N floats. The blocks of a row read some thirty streams at once, too many for the hardware to
 * foresee, so each block fetches what its successor in the next row reads first, a few lines at a time: more would wait
 * for each other. */
template <int N>
HAST_INLINE void Foresee(const float* address) {
  address = Hold(address);
#pragma GCC unroll 16
  for (int i = 0; i < N; i += conv::kLanes) __builtin_prefetch(address + i, 0, 2);
}

/* Most pixels of a row that share their inputs in registers. */
inline constexpr int kPixels = 8;

/* The sums of Q pixels, or of `count` at an edge. */
template <int L, int Q, bool kEdge>
HAST_INLINE void Store(const Sweep& sweep, float* out, int64_t count, const Vector<L> (&sum)[Q]) {
  const Neighbors<Q, float> pixels(out, sweep.out_step);
  const auto each = [&](const auto& write) HAST_LAMBDA {
#pragma GCC unroll 8
    for (int k = 0; k < Q; ++k) {
      if (kEdge && k >= count) break;
      write(*reinterpret_cast<Vector<L>*>(pixels[k]), sum[k]);
    }
  };
  if (sweep.accumulate) {
    each([](Vector<L>& to, const Vector<L>& value) HAST_LAMBDA { to += value; });
#if defined(__x86_64__)
  } else if (L >= 8 && sweep.stream) {
    each([](Vector<L>& to, const Vector<L>& value) HAST_LAMBDA {
      asm volatile("vmovntps %1, %0" : "=m"(to) : "v"(value));
    });
#endif
  } else {
    each([](Vector<L>& to, const Vector<L>& value) HAST_LAMBDA { to = value; });
  }
}

/* Q pixels from t on, channels [first, last): S taps, step D. An input is loaded once for all the pixels and taps it
 * meets. At an edge up to S - 1 columns on the left and any on the right lie outside, or there are fewer pixels. */
template <int S, int D, bool kEdge>
struct Block {
  static constexpr int Q = kPixels / D;
  static constexpr int kColumns = (Q - 1) * D + S;

  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * D;
    const int64_t row_step = sweep.row_gap * sweep.width * sweep.c;
    const float* in = line.in + column * sweep.c;
    const float* ahead = line.ahead + (column + S - 1) * sweep.c;
    float* out = line.out + t * sweep.out_step;
    const int64_t count = sweep.count - t;
    const int64_t right = sweep.width - column;
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum[Q];
#pragma GCC unroll 8
      for (int k = 0; k < Q; ++k) sum[k] = Vector<L>{};
      Neighbors<kColumns, const float> row(in + channel, sweep.c);
      Neighbors<S, const float> weight(line.weight + PackedIndex(channel, sweep.filter_taps), sweep.weight_tap_step);
      const auto add_row = [&]() HAST_LAMBDA {
        Vector<L> tap[S];
#pragma GCC unroll 8
        for (int v = 0; v < S; ++v) tap[v] = HAST_VECTOR(L, weight[v]);
#pragma GCC unroll 32
        for (int m = 0; m < kColumns; ++m) {
          if (kEdge && m < S - 1 && column + m < 0) continue;
          if (kEdge && m >= right) break;
          const Vector<L> x = HAST_VECTOR(L, row[m]);
#pragma GCC unroll 8
          for (int v = 0; v < S; ++v) {
            if (m >= v && (m - v) % D == 0 && (m - v) / D < Q) sum[(m - v) / D] += x * tap[v];
          }
        }
        row.Advance(row_step);
        weight.Advance(sweep.weight_row_step);
      };
      if (L > 1 && line.rows == 3) {
        /* Most of them; without the loop a twentieth faster. */
        add_row();
        add_row();
        add_row();
      } else {
        for (int64_t u = 0; u < line.rows; ++u) add_row();
      }
      if (sweep.foresee) {
#pragma GCC unroll 2
        for (int d = 0; d < D; ++d) Foresee<Q * D * L>(ahead + d * row_step + channel * Q * D);
        const bool dense = sweep.out_step == sweep.c;
        if (dense && !sweep.stream) Foresee<Q * L>(out + sweep.out_row_step + channel * Q);
      }
      Store<L, Q, kEdge>(sweep, out + channel, count, sum);
    }
  }
};

/* One pixel of any window, part of which may lie outside. Without gaps its taps lie side by side. */
template <bool kGaps>
struct Anywhere {
  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * sweep.step;
    const int64_t gap = kGaps ? sweep.gap : 1;
    const int64_t row_step = sweep.row_gap * sweep.width * sweep.c;
    const int64_t column_step = gap * sweep.c;
    const int64_t begin = ceil_div(larger(0, -column), gap);
    const int64_t end = smaller(sweep.taps, ceil_div(sweep.width - column, gap));
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum{};
      const float* row = line.in + column * sweep.c + channel;
      const float* weight = line.weight + PackedIndex(channel, sweep.filter_taps);
      for (int64_t u = 0; u < line.rows; ++u, row += row_step, weight += sweep.weight_row_step) {
        for (int64_t v = begin; v < end; ++v) {
          sum += HAST_VECTOR(L, row + v * column_step) * HAST_VECTOR(L, weight + v * sweep.weight_tap_step);
        }
      }
      Vector<L>& out = *reinterpret_cast<Vector<L>*>(line.out + t * sweep.out_step + channel);
      out = sweep.accumulate ? out + sum : sum;
    }
  }
};

/* Pixels [begin, end) of a row, one by one. */
template <int L, bool kGaps>
HAST_INLINE void Pixels(const Sweep& sweep, const Row& line, int64_t begin, int64_t end) {
  const int64_t whole = sweep.c / L * L;
  const int64_t quads = sweep.c / 4 * 4;
  for (int64_t t = begin; t < end; ++t) {
    Anywhere<kGaps>::template Channels<L>(sweep, line, t, 0, whole);
    if (L > 4) Anywhere<kGaps>::template Channels<4>(sweep, line, t, whole, quads);
    Anywhere<kGaps>::template Channels<1>(sweep, line, t, quads, sweep.c);
  }
}

/* A row in blocks. The channels are the inner loop: memory is read and written in order. */
template <int L, int S, int D>
HAST_INLINE void Blocks(const Sweep& sweep, const Row& line) {
  using Inside = Block<S, D, false>;
  using Edge = Block<S, D, true>;
  const int64_t whole = sweep.c / L * L;
  const int64_t quads = sweep.c / 4 * 4;
  /* The windows of the first pixels lie outside where the padding is as long as the filter. */
  const int64_t start = smaller(sweep.count, ceil_div(larger(0, 1 - S - sweep.column), D));
  Pixels<L, false>(sweep, line, 0, start);
  for (int64_t t = start; t < sweep.count; t += Inside::Q) {
    const int64_t column = sweep.column + t * D;
    if (t + Inside::Q <= sweep.count && column >= 0 && column + Inside::kColumns <= sweep.width) {
      Inside::template Channels<L>(sweep, line, t, 0, whole);
    } else {
      Edge::template Channels<L>(sweep, line, t, 0, whole);
    }
    if (L > 4) Edge::template Channels<4>(sweep, line, t, whole, quads);
    Edge::template Channels<1>(sweep, line, t, quads, sweep.c);
  }
}

/* Output rows [begin, end). */
template <int L>
HAST_INLINE void SweepRows(const Sweep& sweep, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const Row line(sweep, i);
    const bool dense = sweep.gap == 1;
    if (sweep.step == 1 && sweep.taps == 1) {
      Blocks<L, 1, 1>(sweep, line);
    } else if (dense && sweep.step == 1 && sweep.taps == 2) {
      Blocks<L, 2, 1>(sweep, line);
    } else if (dense && sweep.step == 1 && sweep.taps == 3) {
      Blocks<L, 3, 1>(sweep, line);
    } else if (dense && sweep.step == 2 && sweep.taps == 3) {
      Blocks<L, 3, 2>(sweep, line);
    } else if (dense) {
      Pixels<L, false>(sweep, line, 0, sweep.count);
    } else {
      Pixels<L, true>(sweep, line, 0, sweep.count);
    }
  }
}

/* Runs body(image, begin, end) over bands of the `rows` rows of n images. A band reads the rows around it again, so it
 * is some pieces of kernel.h long. */
template <class Body>
void for_bands(void* stream, int64_t n, int64_t rows, int64_t row_elements, const Body& body) {
  const int64_t bands = ceil_div(rows, larger(2, 2 * kPieceElements / row_elements));
  parallel_for(stream, n * bands, [&](int64_t task, int32_t) {
    const int64_t band = task % bands;
    body(task / bands, band * rows / bands, (band + 1) * rows / bands);
  });
}

/* Output rows [begin, end) of the sweep for the instruction set of the processor; defined beside the forward kernel. */
void Run(const Sweep& sweep, int64_t begin, int64_t end);

}  // namespace hast::depthwise

#endif

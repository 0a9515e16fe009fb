/* Pieces shared by the three directions of the CPU depthwise convolution: weights with the channels innermost, and the
 * sweep along one row that the forward map and its adjoint have in common. */
#ifndef HAST_DEPTHWISE_H
#define HAST_DEPTHWISE_H

#include "conv2d_common.h"
#include "kernel.h"

namespace hast::depthwise {

using conv::Geometry;
using conv::Isa;
using conv::Vector;

/* The arguments of conv.h's depthwise functions: a filter for each channel. */
inline Geometry GeometryOf(int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, int32_t stride,
                           int32_t pad) {
  return Geometry(n, h, w, c, c, r, s, stride, pad);
}

inline int64_t TransposedBytes(const Geometry& g) {
  return conv::kAlignment + g.r * g.s * g.c * static_cast<int64_t>(sizeof(float));
}

/* weight [c, r s] as [r s, c], so that neighbouring channels are one vector. */
inline const float* Transposed(void* workspace, const float* weight, const Geometry& g) {
  float* to = conv::Align(workspace);
  const int64_t taps = g.r * g.s;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t channel = 0; channel < g.c; ++channel) to[tap * g.c + channel] = weight[channel * taps + tap];
  }
  return to;
}

int64_t PartialBytes(const Geometry& g);

/* The forward map of one image, or one phase of its adjoint:
 *   out[i][t] = (out[i][t] +) sum_{u < rows, v < taps} in[top + i step + u][column + t step + v] weight[u][v],
 * t < count, all of them vectors of c channels; what lies outside in[height][width] counts as 0. The terms are in the
 * order of `in`; the strides of the weights make it the order of the filter or the reverse. */
struct Sweep {
  float* out;
  int64_t out_row_step, out_step, count;
  const float* in;
  int64_t height, width, top, column, step;
  const float* weight;
  int64_t weight_row_step, weight_tap_step;
  int64_t rows, taps;
  int64_t c;
  bool accumulate;
  bool foresee;
  bool stream; /* past the caches; all vectors of out are aligned */
};

/* An output row beside the input rows that lie inside. */
struct Row {
  float* out;
  const float* in;    /* column 0 of the first of them */
  const float* ahead; /* column 0 of the row below the window */
  const float* weight;
  int64_t rows;

  Row(const Sweep& sweep, int64_t i) {
    const int64_t top = sweep.top + i * sweep.step;
    const int64_t u = larger(0, -top);
    out = sweep.out + i * sweep.out_row_step;
    in = sweep.in + (top + u) * sweep.width * sweep.c;
    ahead = sweep.in + (top + sweep.rows) * sweep.width * sweep.c;
    weight = sweep.weight + u * sweep.weight_row_step;
    rows = larger(0, smaller(sweep.rows, sweep.height - top) - u);
  }
};

/* The compiler would load a value again for each use, and derive every address from one base, until it is out of
 * registers. */
#if defined(__x86_64__)
#define HAST_HOLD_VECTOR(value) asm volatile("" : "+v"(value))
#else
#define HAST_HOLD_VECTOR(value)
#endif
template <class T>
HAST_INLINE T* Hold(T* address) {
  asm("" : "+r"(address));
  return address;
}

/* N neighbouring pixels, `step` apart: three of them share a base. */
template <int N, class T>
struct Neighbours {
  T* base[(N + 2) / 3];
  int64_t step;

  HAST_INLINE Neighbours(T* first, int64_t step_) : step(step_) {
#pragma GCC unroll 8
    for (int b = 0; b < (N + 2) / 3; ++b) base[b] = Hold(first + 3 * b * step);
  }
  HAST_INLINE T* operator[](int k) const { return base[k / 3] + k % 3 * step; }
  HAST_INLINE void Advance(int64_t by) {
#pragma GCC unroll 8
    for (int b = 0; b < (N + 2) / 3; ++b) base[b] += by;
  }
};

template <int L>
HAST_INLINE void StorePast(float* out, const Vector<L>& value) {
#if defined(__x86_64__)
  asm volatile("vmovntps %1, %0" : "=m"(*reinterpret_cast<Vector<L>*>(out)) : "v"(value));
#else
  *reinterpret_cast<Vector<L>*>(out) = value;
#endif
}

/* Pixels of a row that share their inputs in registers. */
inline constexpr int kPixels = 8;

template <int L, bool kEdge>
HAST_INLINE void Store(const Sweep& sweep, float* out, int64_t count, const Vector<L> (&sum)[kPixels]) {
  const Neighbours<kPixels, float> to(out, sweep.out_step);
  if (sweep.accumulate) {
#pragma GCC unroll 8
    for (int k = 0; k < kPixels; ++k) {
      if (kEdge && k >= count) break;
      *reinterpret_cast<Vector<L>*>(to[k]) += sum[k];
    }
  } else if (L >= 8 && sweep.stream) {
#pragma GCC unroll 8
    for (int k = 0; k < kPixels; ++k) {
      if (kEdge && k >= count) break;
      StorePast<L>(to[k], sum[k]);
    }
  } else {
#pragma GCC unroll 8
    for (int k = 0; k < kPixels; ++k) {
      if (kEdge && k >= count) break;
      *reinterpret_cast<Vector<L>*>(to[k]) = sum[k];
    }
  }
}

/* kPixels pixels from t on, channels [first, last): S taps, step D. An input is loaded once for all the pixels and taps
 * it meets. At an edge up to S - 1 inputs on the left and any on the right lie outside, or there are fewer pixels. */
template <int S, int D, bool kEdge>
struct Block {
  static constexpr int kColumns = (kPixels - 1) * D + S;

  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * D;
    const int64_t row_step = sweep.width * sweep.c;
    const float* in = line.in + column * sweep.c;
    const float* ahead = line.ahead + (column + S - 1) * sweep.c;
    float* out = line.out + t * sweep.out_step;
    const int64_t count = sweep.count - t;
    const int64_t right = sweep.width - column;
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum[kPixels];
#pragma GCC unroll 8
      for (int k = 0; k < kPixels; ++k) sum[k] = Vector<L>{};
      Neighbours<kColumns, const float> row(in + channel, sweep.c);
      Neighbours<S, const float> weight(line.weight + channel, sweep.weight_tap_step);
      for (int64_t u = 0; u < line.rows; ++u) {
        Vector<L> tap[S];
#pragma GCC unroll 8
        for (int v = 0; v < S; ++v) {
          tap[v] = HAST_VECTOR(L, weight[v]);
          HAST_HOLD_VECTOR(tap[v]);
        }
#pragma GCC unroll 32
        for (int m = 0; m < kColumns; ++m) {
          if (kEdge && m < S - 1 && column + m < 0) continue;
          if (kEdge && m >= right) break;
          Vector<L> x = HAST_VECTOR(L, row[m]);
          HAST_HOLD_VECTOR(x);
#pragma GCC unroll 8
          for (int v = 0; v < S; ++v) {
            if (m >= v && (m - v) % D == 0 && (m - v) / D < kPixels) sum[(m - v) / D] += x * tap[v];
          }
        }
        row.Advance(row_step);
        weight.Advance(sweep.weight_row_step);
      }
      if (sweep.foresee) {
#pragma GCC unroll 2
        for (int d = 0; d < D; ++d) {
          const float* next = Hold(ahead + d * row_step + channel * kPixels * D);
#pragma GCC unroll 16
          for (int m = 0; m < kPixels * D * L; m += conv::kLanes) __builtin_prefetch(next + m, 0, 2);
        }
        if (!sweep.stream) {
          const float* next = Hold(out + sweep.out_row_step + channel * kPixels);
#pragma GCC unroll 8
          for (int m = 0; m < kPixels * L; m += conv::kLanes) __builtin_prefetch(next + m, 1, 2);
        }
      }
      Store<L, kEdge>(sweep, out + channel, count, sum);
    }
  }
};

/* One pixel of any window, part of which may lie outside. */
struct Anywhere {
  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, const Row& line, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * sweep.step;
    const int64_t begin = larger(0, -column);
    const int64_t end = smaller(sweep.taps, sweep.width - column);
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum{};
      const float* row = line.in + column * sweep.c + channel;
      const float* weight = line.weight + channel;
      for (int64_t u = 0; u < line.rows; ++u, row += sweep.width * sweep.c, weight += sweep.weight_row_step) {
        for (int64_t v = begin; v < end; ++v) {
          sum += HAST_VECTOR(L, row + v * sweep.c) * HAST_VECTOR(L, weight + v * sweep.weight_tap_step);
        }
      }
      Vector<L>& out = *reinterpret_cast<Vector<L>*>(line.out + t * sweep.out_step + channel);
      out = sweep.accumulate ? out + sum : sum;
    }
  }
};

template <int L>
HAST_INLINE void Pixels(const Sweep& sweep, const Row& line, int64_t begin, int64_t end) {
  const int64_t whole = sweep.c / L * L;
  const int64_t quads = sweep.c / 4 * 4;
  for (int64_t t = begin; t < end; ++t) {
    Anywhere::Channels<L>(sweep, line, t, 0, whole);
    if (L > 4) Anywhere::Channels<4>(sweep, line, t, whole, quads);
    Anywhere::Channels<1>(sweep, line, t, quads, sweep.c);
  }
}

/* The channels are the inner loop: memory is read and written in order. */
template <int L, int S, int D>
HAST_INLINE void Blocks(const Sweep& sweep, const Row& line) {
  const int64_t whole = sweep.c / L * L;
  const int64_t quads = sweep.c / 4 * 4;
  /* Whole windows lie to the left of the input where the padding is as long as the filter. */
  const int64_t start = smaller(sweep.count, ceil_div(larger(0, 1 - S - sweep.column), D));
  Pixels<L>(sweep, line, 0, start);
  for (int64_t t = start; t < sweep.count; t += kPixels) {
    const int64_t column = sweep.column + t * D;
    if (t + kPixels <= sweep.count && column >= 0 && column + Block<S, D, false>::kColumns <= sweep.width) {
      Block<S, D, false>::template Channels<L>(sweep, line, t, 0, whole);
    } else {
      Block<S, D, true>::template Channels<L>(sweep, line, t, 0, whole);
    }
    if (L > 4) Block<S, D, true>::template Channels<4>(sweep, line, t, whole, quads);
  }
  for (int64_t t = start; t < sweep.count; ++t) Anywhere::Channels<1>(sweep, line, t, quads, sweep.c);
}

/* Output rows [begin, end). */
template <int L>
HAST_INLINE void SweepRows(const Sweep& sweep, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const Row line(sweep, i);
    if (sweep.step == 1 && sweep.taps == 1) {
      Blocks<L, 1, 1>(sweep, line);
    } else if (sweep.step == 1 && sweep.taps == 2) {
      Blocks<L, 2, 1>(sweep, line);
    } else if (sweep.step == 1 && sweep.taps == 3) {
      Blocks<L, 3, 1>(sweep, line);
    } else if (sweep.step == 2 && sweep.taps == 3) {
      Blocks<L, 3, 2>(sweep, line);
    } else {
      Pixels<L>(sweep, line, 0, sweep.count);
    }
  }
}

/* Whether a result of `out` floats, made from `in` floats, goes past the caches: they cannot hold both, and a line that
 * is not read before it is written saves a third of the traffic. */
inline bool Streams(const float* out, int64_t out_floats, int64_t in_floats, int64_t c) {
  constexpr int64_t kCacheFloats = 1 << 23;
  return out_floats + in_floats > kCacheFloats && c % conv::kLanes == 0 && reinterpret_cast<uintptr_t>(out) % 64 == 0;
}

/* Runs body(image, begin, end) over bands of the `rows` rows of n images. A band reads the rows around it again, so it
 * is some pieces of kernel.h long. */
template <class Body>
void for_bands(void* stream, int64_t n, int64_t rows, int64_t row_elements, const Body& body) {
  const int64_t bands = ceil_div(rows, larger(2, 4 * kPieceElements / row_elements));
  parallel_for(stream, n * bands, [&](int64_t task, int32_t) {
    const int64_t band = task % bands;
    body(task / bands, band * rows / bands, (band + 1) * rows / bands);
  });
}

/* Output rows [begin, end) of the sweep for the instruction set of the processor; defined beside the forward kernel. */
void Run(const Sweep& sweep, int64_t begin, int64_t end);

}  // namespace hast::depthwise

#endif

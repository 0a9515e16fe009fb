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

/* Pixels [begin, end) of a row of `count` whose window of `taps` from `column` + step * pixel on lies in [0, width). */
struct Span {
  int64_t begin, end;

  Span(int64_t column, int64_t step, int64_t taps, int64_t width, int64_t count) {
    const int64_t outside = larger(0, -column);
    begin = smaller(count, ceil_div(outside, step));
    const int64_t room = width - taps - column;
    end = larger(begin, room < 0 ? 0 : smaller(count, room / step + 1));
  }
};

/* One row:
 *   out[t] = (out[t] +) sum_{u < rows, v < taps} in[u][column + t step + v] weight[u][v],   t < count,
 * all of them vectors of c channels; columns outside [0, width) count as 0. Rows and taps are in the order of `in`;
 * the strides of the weights make it the order of the filter or the reverse. */
struct Sweep {
  float* out;
  int64_t out_step, count;
  const float* in;
  int64_t in_row_step, width, column, step;
  const float* weight;
  int64_t weight_row_step, weight_tap_step;
  int64_t rows, taps;
  int64_t c;
  bool accumulate;
};

template <int L>
HAST_INLINE void Store(const Sweep& sweep, float* out, const Vector<L>& sum) {
  Vector<L>& to = *reinterpret_cast<Vector<L>*>(out);
  to = sweep.accumulate ? to + sum : sum;
}

/* Q pixels from t on whose windows lie inside, channels [first, last): S taps, step D. An input is loaded once for all
 * the pixels and taps it meets. */
template <int S, int D, int Q>
struct Inside {
  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, int64_t t, int64_t first, int64_t last) {
    const float* in = sweep.in + (sweep.column + t * D) * sweep.c;
    float* out = sweep.out + t * sweep.out_step;
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum[Q];
#pragma GCC unroll 8
      for (int k = 0; k < Q; ++k) sum[k] = Vector<L>{};
      const float* row = in + channel;
      const float* weight = sweep.weight + channel;
      for (int64_t u = 0; u < sweep.rows; ++u, row += sweep.in_row_step, weight += sweep.weight_row_step) {
        Vector<L> tap[S];
#pragma GCC unroll 8
        for (int v = 0; v < S; ++v) tap[v] = HAST_VECTOR(L, weight + v * sweep.weight_tap_step);
#pragma GCC unroll 32
        for (int m = 0; m < (Q - 1) * D + S; ++m) {
          const Vector<L> x = HAST_VECTOR(L, row + m * sweep.c);
#pragma GCC unroll 8
          for (int v = 0; v < S; ++v) {
            if (m >= v && (m - v) % D == 0 && (m - v) / D < Q) sum[(m - v) / D] += x * tap[v];
          }
        }
      }
      /* What the next row of the result reads first: too many streams for the hardware to foresee. */
      if (channel % conv::kLanes == 0) {
#pragma GCC unroll 16
        for (int m = 0; m < Q * D; ++m) __builtin_prefetch(row + (m + S - 1) * sweep.c, 0, 2);
#pragma GCC unroll 8
        for (int k = 0; k < Q; ++k) __builtin_prefetch(out + (k + sweep.count) * sweep.out_step + channel, 1, 2);
      }
#pragma GCC unroll 8
      for (int k = 0; k < Q; ++k) Store<L>(sweep, out + k * sweep.out_step + channel, sum[k]);
    }
  }
};

/* One pixel of any window, part of which may lie outside. */
struct Anywhere {
  template <int L>
  static HAST_INLINE void Channels(const Sweep& sweep, int64_t t, int64_t first, int64_t last) {
    const int64_t column = sweep.column + t * sweep.step;
    const int64_t begin = larger(0, -column);
    const int64_t end = smaller(sweep.taps, sweep.width - column);
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> sum{};
      const float* row = sweep.in + column * sweep.c + channel;
      const float* weight = sweep.weight + channel;
      for (int64_t u = 0; u < sweep.rows; ++u, row += sweep.in_row_step, weight += sweep.weight_row_step) {
        for (int64_t v = begin; v < end; ++v) {
          sum += HAST_VECTOR(L, row + v * sweep.c) * HAST_VECTOR(L, weight + v * sweep.weight_tap_step);
        }
      }
      Store<L>(sweep, sweep.out + t * sweep.out_step + channel, sum);
    }
  }
};

template <int L, class Pixels>
HAST_INLINE void AllChannels(const Sweep& sweep, int64_t t) {
  const int64_t whole = sweep.c / L * L;
  const int64_t quads = sweep.c / 4 * 4;
  Pixels::template Channels<L>(sweep, t, 0, whole);
  if (L > 4) Pixels::template Channels<4>(sweep, t, whole, quads);
  Pixels::template Channels<1>(sweep, t, quads, sweep.c);
}

/* Pixels [t, end) in blocks of Q and less. The channels are the inner loop: memory is read and written in order. */
template <int L, int S, int D, int Q>
HAST_INLINE void InsideRange(const Sweep& sweep, int64_t t, int64_t end) {
  for (; t + Q <= end; t += Q) AllChannels<L, Inside<S, D, Q>>(sweep, t);
  if constexpr (Q > 1) InsideRange<L, S, D, Q / 2>(sweep, t, end);
}

template <int L>
HAST_INLINE void SweepRow(const Sweep& sweep) {
  const Span inside(sweep.column, sweep.step, sweep.taps, sweep.width, sweep.count);
  int64_t t = 0;
  for (; t < inside.begin; ++t) AllChannels<L, Anywhere>(sweep, t);
  if (sweep.step == 1 && sweep.taps == 1) {
    InsideRange<L, 1, 1, 8>(sweep, t, inside.end);
  } else if (sweep.step == 1 && sweep.taps == 2) {
    InsideRange<L, 2, 1, 8>(sweep, t, inside.end);
  } else if (sweep.step == 1 && sweep.taps == 3) {
    InsideRange<L, 3, 1, 8>(sweep, t, inside.end);
  } else if (sweep.step == 2 && sweep.taps == 3) {
    InsideRange<L, 3, 2, 8>(sweep, t, inside.end);
  } else {
    for (; t < inside.end; ++t) AllChannels<L, Anywhere>(sweep, t);
  }
  for (t = inside.end; t < sweep.count; ++t) AllChannels<L, Anywhere>(sweep, t);
}

/* The sweep for the instruction set of the processor; defined beside the forward kernel. */
void Run(const Sweep& sweep);

}  // namespace hast::depthwise

#endif

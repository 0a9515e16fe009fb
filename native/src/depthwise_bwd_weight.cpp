/* Weight gradient of the depthwise convolution.
 *
 *   dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n, i stride + u - pad, j stride + v - pad, c]
 *
 * Shapes: dy [n,p,q,c], x [n,h,w,c], dweight [c,r,s,1]. 8 bytes read per output pixel and channel at stride 1.
 *
 * The output rows of all images form groups whose number depends on the sizes only. Eight neighbouring pixels of dy
 * stay in registers while their products with the rows of x they meet are summed; the sum of each tap is added to the
 * partial sums of the group, [r s, c] in the workspace, which stay in the nearest cache. The channels are the inner
 * loop: memory is read in order. The groups are added in order, in double: the same bytes for any number of workers.
 * Tasks split the channels too. */
#include <algorithm>

#include "depthwise.h"

namespace hast::depthwise {
namespace {

constexpr int64_t kPieceChannels = 256;

struct Plan {
  int64_t rows; /* of all images */
  int64_t groups;
  int64_t pieces;         /* of the channels */
  int64_t piece_channels; /* at most kPieceChannels, in whole vectors */
  int64_t partial_floats; /* of one group */

  explicit Plan(const Geometry& g) {
    rows = g.n * g.p;
    pieces = ceil_div(g.c, kPieceChannels);
    piece_channels = conv::RoundUp(ceil_div(g.c, pieces), conv::kLanes);
    partial_floats = g.r * g.s * g.c;
    /* Many groups feed many workers, but each adds a pass over the partial sums. */
    constexpr int64_t kPartialFloats = 1 << 17;
    groups = std::min(rows, std::clamp<int64_t>(kPartialFloats / partial_floats, 2, 64));
  }
};

/* Output row i of an image; its first input row may lie outside. */
struct Line {
  const float* dy;
  const float* x;
  int64_t first_u, last_u; /* taps [first, last) meet rows inside */

  Line(const Geometry& g, const float* dy_, const float* x_, int64_t index) {
    const int64_t top = index % g.p * g.stride - g.pad;
    dy = dy_ + index * g.q * g.c;
    x = x_ + (index / g.p * g.h + top) * g.w * g.c;
    first_u = larger(0, -top);
    last_u = larger(first_u, smaller(g.r, g.h - top));
  }
};

/* partial[u][v..] += the sums of kPixels pixels from j on for S taps from v on, channels [first, last). The stride is
 * D, or any for a single tap. At an edge some inputs lie outside or there are fewer pixels. */
template <int S, int D, bool kEdge>
struct Products {
  static constexpr int kColumns = (kPixels - 1) * D + S;

  template <int L>
  static HAST_INLINE void Add(const Geometry& g, const Line& line, float* partial, int64_t j, int64_t v, int64_t first,
                              int64_t last) {
    const int64_t stride = S == 1 ? g.stride : D;
    const int64_t column = j * stride + v - g.pad;
    const int64_t count = g.q - j;
    const float* dy = line.dy + j * g.c;
    const float* x = line.x + column * g.c;
    const float* ahead = x + (g.r * g.w + S - 1) * g.c;
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> value[kPixels];
#pragma GCC unroll 8
      for (int k = 0; k < kPixels; ++k) {
        value[k] = Vector<L>{};
        if (!kEdge || k < count) value[k] = HAST_VECTOR(L, dy + k * g.c + channel);
      }
      for (int64_t u = line.first_u; u < line.last_u; ++u) {
        Vector<L> sum[S];
#pragma GCC unroll 8
        for (int t = 0; t < S; ++t) sum[t] = Vector<L>{};
        const float* row = x + u * g.w * g.c + channel;
        if constexpr (S == 1) {
#pragma GCC unroll 8
          for (int k = 0; k < kPixels; ++k) {
            if (kEdge && (k >= count || column + k * stride < 0 || column + k * stride >= g.w)) continue;
            sum[0] += value[k] * HAST_VECTOR(L, row + k * stride * g.c);
          }
        } else {
#pragma GCC unroll 32
          for (int m = 0; m < kColumns; ++m) {
            if (kEdge && (column + m < 0 || column + m >= g.w)) continue;
            const Vector<L> input = HAST_VECTOR(L, row + m * g.c);
#pragma GCC unroll 8
            for (int t = 0; t < S; ++t) {
              if (m >= t && (m - t) % D == 0 && (m - t) / D < kPixels) sum[t] += value[(m - t) / D] * input;
            }
          }
        }
        float* to = partial + (u * g.s + v) * g.c + channel;
#pragma GCC unroll 8
        for (int t = 0; t < S; ++t) *reinterpret_cast<Vector<L>*>(to + t * g.c) += sum[t];
      }
      if (S > 1 && channel % conv::kLanes == 0) {
#pragma GCC unroll 2
        for (int d = 0; d < D; ++d) {
#pragma GCC unroll 16
          for (int m = 0; m < kPixels * D; ++m) __builtin_prefetch(ahead + (d * g.w + m) * g.c + channel, 0, 2);
        }
#pragma GCC unroll 8
        for (int k = 0; k < kPixels; ++k) __builtin_prefetch(dy + (g.q + k) * g.c + channel, 0, 2);
      }
    }
  }
};

template <int L, int S, int D>
HAST_INLINE void AddTaps(const Geometry& g, const Line& line, float* partial, int64_t j, int64_t v, int64_t begin,
                         int64_t end) {
  const int64_t whole = begin + (end - begin) / L * L;
  const int64_t quads = begin + (end - begin) / 4 * 4;
  const int64_t stride = S == 1 ? g.stride : D;
  const int64_t column = j * stride + v - g.pad;
  if (j + kPixels <= g.q && column >= 0 && column + (kPixels - 1) * stride + S <= g.w) {
    Products<S, D, false>::template Add<L>(g, line, partial, j, v, begin, whole);
  } else {
    Products<S, D, true>::template Add<L>(g, line, partial, j, v, begin, whole);
  }
  if (L > 4) Products<S, D, true>::template Add<4>(g, line, partial, j, v, whole, quads);
  Products<S, D, true>::template Add<1>(g, line, partial, j, v, quads, end);
}

/* Channels [begin, end) of rows [first, last). */
template <int L>
HAST_INLINE void AddRows(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                         int64_t last, int64_t begin, int64_t end) {
  for (int64_t tap = 0; tap < g.r * g.s; ++tap) {
    std::memset(partial + tap * g.c + begin, 0, (end - begin) * sizeof(float));
  }
  for (int64_t index = first; index < last; ++index) {
    const Line line(g, dy, x, index);
    for (int64_t j = 0; j < g.q; j += kPixels) {
      int64_t v = 0;
      if (g.stride == 1) {
        for (; v + 3 <= g.s; v += 3) AddTaps<L, 3, 1>(g, line, partial, j, v, begin, end);
      } else if (g.stride == 2) {
        for (; v + 3 <= g.s; v += 3) AddTaps<L, 3, 2>(g, line, partial, j, v, begin, end);
      }
      for (; v < g.s; ++v) AddTaps<L, 1, 1>(g, line, partial, j, v, begin, end);
    }
  }
}

using RowsFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                              int64_t last, int64_t begin, int64_t end);

HAST_TARGET_V4 void RowsV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                           int64_t last, int64_t begin, int64_t end) {
  AddRows<16>(g, partial, dy, x, first, last, begin, end);
}
HAST_TARGET_V3 void RowsV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first,
                           int64_t last, int64_t begin, int64_t end) {
  AddRows<8>(g, partial, dy, x, first, last, begin, end);
}
void RowsBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t first, int64_t last,
                  int64_t begin, int64_t end) {
  AddRows<4>(g, partial, dy, x, first, last, begin, end);
}

/* dweight of channels [begin, end), at most kPieceChannels of them. */
HAST_CLONES void Combine(const Geometry& g, const Plan& plan, float* dweight, const float* partial, int64_t begin,
                         int64_t end) {
  const int64_t taps = g.r * g.s;
  for (int64_t tap = 0; tap < taps; ++tap) {
    double sum[kPieceChannels] = {};
    for (int64_t group = 0; group < plan.groups; ++group) {
      const float* from = partial + group * plan.partial_floats + tap * g.c;
      for (int64_t channel = begin; channel < end; ++channel) sum[channel - begin] += from[channel];
    }
    for (int64_t channel = begin; channel < end; ++channel) {
      dweight[channel * taps + tap] = static_cast<float>(sum[channel - begin]);
    }
  }
}

}  // namespace

int64_t PartialBytes(const Geometry& g) {
  const Plan plan(g);
  return conv::kAlignment + plan.groups * plan.partial_floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int32_t hast_depthwise_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                      int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                      int64_t s, int32_t stride, int32_t pad, void* stream) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, stride, pad);
  if (any_null(dweight, dy, x, stream) || !g.Valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < PartialBytes(g)) return HAST_EWORKSPACE;
  const Plan plan(g);
  float* partial = conv::Align(workspace);
  const RowsFunction function = conv::kIsa == Isa::kV4 ? RowsV4 : conv::kIsa == Isa::kV3 ? RowsV3 : RowsBaseline;
  parallel_for(stream, plan.groups * plan.pieces, [&](int64_t task, int32_t) {
    const int64_t group = task / plan.pieces;
    const int64_t begin = task % plan.pieces * plan.piece_channels;
    function(g, partial + group * plan.partial_floats, dy, x, group * plan.rows / plan.groups,
             (group + 1) * plan.rows / plan.groups, begin, smaller(c, begin + plan.piece_channels));
  });
  parallel_for(stream, plan.pieces, [&](int64_t piece, int32_t) {
    const int64_t begin = piece * plan.piece_channels;
    Combine(g, plan, dweight, partial, begin, smaller(c, begin + plan.piece_channels));
  });
  return HAST_OK;
}

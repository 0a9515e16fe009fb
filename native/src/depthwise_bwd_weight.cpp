/* Weight gradient of the depthwise convolution.
 *
 *   dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n,a,b,c]
 *   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
 *
 * Shapes: dy [n,p,q,c], x [n,h,w,c], dweight [c,r,s,1]. 8 bytes read per output pixel and channel at stride 1.
 *
 * The output rows of all images form groups whose number depends on the sizes only. Eight neighbouring pixels of dy
 * stay in registers while their products with the rows of x they meet are summed; the sum of each tap is added to the
 * partial sums of the group, packed in the workspace, which stay in the nearest cache. The channels are the inner
 * loop: memory is read in order. The groups are added in order, in double: the same bytes for any number of workers. */
#include <algorithm>

#include "depthwise.h"

namespace hast::depthwise {
namespace {

struct Plan {
  int64_t rows; /* of all images */
  int64_t groups;
  int64_t partial_floats; /* of one group */
  bool foresee;

  explicit Plan(const Geometry& g) {
    rows = g.n * g.p;
    partial_floats = PackedFloats(g);
    /* Many groups feed many workers, but each clears and adds its partial sums. */
    constexpr int64_t kPartialFloats = 1 << 17;
    constexpr int64_t kGroupPixels = 64;
    const int64_t most = std::min(kPartialFloats / partial_floats, rows * g.q / kGroupPixels);
    groups = std::min(rows, std::clamp<int64_t>(most, 2, 64));
    foresee = Foresees(g);
  }
};

/* Output row i of an image; its first input row may lie outside. */
struct Line {
  const float* dy;
  const float* x;
  int64_t first_u, last_u; /* taps [first, last) meet rows inside */

  Line(const Geometry& g, const float* dy_, const float* x_, int64_t index) {
    const int64_t top = index % g.p * g.stride_h - g.top;
    dy = dy_ + index * g.q * g.c;
    x = x_ + (index / g.p * g.h + top) * g.w * g.c;
    first_u = ceil_div(larger(0, -top), g.dilation_h);
    last_u = larger(first_u, smaller(g.r, ceil_div(g.h - top, g.dilation_h)));
  }
};

/* The sums of Q pixels from j on for S taps from v on of each row of the filter, channels [first, last), added to the
 * partial sums. The stride is D, or any for a single tap, and several taps lie side by side. At an edge up to S - 1
 * columns on the left and any on the right lie outside, or there are fewer pixels. */
template <int S, int D, bool kEdge>
struct Products {
  static constexpr int Q = kPixels / D;
  static constexpr int kColumns = (Q - 1) * D + S;

  template <int L>
  static HAST_INLINE void Add(const Geometry& g, const Plan& plan, const Line& line, float* partial, int64_t j,
                              int64_t v, int64_t first, int64_t last) {
    const int64_t stride = S == 1 ? g.stride_w : D;
    const int64_t column = j * stride + v * g.dilation_w - g.left;
    const int64_t row_step = g.dilation_h * g.w * g.c;
    const int64_t count = g.q - j;
    const int64_t right = g.w - column;
    const float* dy = line.dy + j * g.c;
    const float* x = line.x + column * g.c;
    const float* ahead = x + g.r * row_step + (S - 1) * g.c;
    for (int64_t channel = first; channel < last; channel += L) {
      Vector<L> value[Q];
      const Neighbors<Q, const float> from(dy + channel, g.c);
#pragma GCC unroll 8
      for (int k = 0; k < Q; ++k) {
        value[k] = Vector<L>{};
        if (kEdge && k >= count) continue;
        value[k] = HAST_VECTOR(L, from[k]);
      }
      Neighbors<S == 1 ? 1 : kColumns, const float> row(x + line.first_u * row_step + channel, g.c);
      float* to = Hold(partial + PackedIndex(channel, g.r * g.s) + (line.first_u * g.s + v) * conv::kLanes);
      for (int64_t u = line.first_u; u < line.last_u; ++u) {
        Vector<L> sum[S];
#pragma GCC unroll 8
        for (int t = 0; t < S; ++t) sum[t] = Vector<L>{};
        if constexpr (S == 1) {
#pragma GCC unroll 8
          for (int k = 0; k < Q; ++k) {
            if (kEdge && (k >= count || column + k * stride < 0 || k * stride >= right)) continue;
            sum[0] += value[k] * HAST_VECTOR(L, row[0] + k * stride * g.c);
          }
        } else {
#pragma GCC unroll 32
          for (int m = 0; m < kColumns; ++m) {
            if (kEdge && m < S - 1 && column + m < 0) continue;
            if (kEdge && m >= right) break;
            const Vector<L> input = HAST_VECTOR(L, row[m]);

#pragma GCC unroll 8
            for (int t = 0; t < S; ++t) {
              if (m >= t && (m - t) % D == 0 && (m - t) / D < Q) sum[t] += value[(m - t) / D] * input;
            }
          }
        }
#pragma GCC unroll 8
        for (int t = 0; t < S; ++t) *reinterpret_cast<Vector<L>*>(to + t * conv::kLanes) += sum[t];
        row.Advance(row_step);
        to += g.s * conv::kLanes;
      }
      if (S > 1 && plan.foresee) {
#pragma GCC unroll 2
        for (int d = 0; d < D; ++d) Foresee<Q * D * L>(ahead + d * g.w * g.c + channel * Q * D);
        Foresee<Q * L>(dy + g.q * g.c + channel * Q);
      }
    }
  }
};

/* A line for S taps from v on, added to the partial sums. */
template <int L, int S, int D>
HAST_INLINE void AddTaps(const Geometry& g, const Plan& plan, const Line& line, float* partial, int64_t v) {
  constexpr int Q = Products<S, D, false>::Q;
  const int64_t whole = g.c / L * L;
  const int64_t quads = g.c / 4 * 4;
  const int64_t stride = S == 1 ? g.stride_w : D;
  /* Before this pixel the taps meet columns on the left only, which lie outside. */
  const int64_t start = ceil_div(larger(0, 1 - S - v * g.dilation_w + g.left), stride);
  for (int64_t j = start; j < g.q; j += Q) {
    const int64_t column = j * stride + v * g.dilation_w - g.left;
    if (j + Q <= g.q && column >= 0 && column + (Q - 1) * stride + S <= g.w) {
      Products<S, D, false>::template Add<L>(g, plan, line, partial, j, v, 0, whole);
    } else {
      Products<S, D, true>::template Add<L>(g, plan, line, partial, j, v, 0, whole);
    }
    if (L > 4) Products<S, D, true>::template Add<4>(g, plan, line, partial, j, v, whole, quads);
    Products<S, D, true>::template Add<1>(g, plan, line, partial, j, v, quads, g.c);
  }
}

/* Output rows [first, last) of all images. */
template <int L>
HAST_INLINE void AddRows(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                         int64_t first, int64_t last) {
  std::memset(partial, 0, plan.partial_floats * sizeof(float));
  for (int64_t index = first; index < last; ++index) {
    const Line line(g, dy, x, index);
    int64_t v = 0;
    if (g.dilation_w == 1 && g.stride_w == 1) {
      for (; v + 3 <= g.s; v += 3) AddTaps<L, 3, 1>(g, plan, line, partial, v);
    } else if (g.dilation_w == 1 && g.stride_w == 2) {
      for (; v + 3 <= g.s; v += 3) AddTaps<L, 3, 2>(g, plan, line, partial, v);
    }
    for (; v < g.s; ++v) AddTaps<L, 1, 1>(g, plan, line, partial, v);
  }
}

using RowsFunction = void (*)(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                              int64_t first, int64_t last);

HAST_TARGET_V4 void RowsV4(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                           int64_t first, int64_t last) {
  AddRows<16>(g, plan, partial, dy, x, first, last);
}
HAST_TARGET_V3 void RowsV3(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                           int64_t first, int64_t last) {
  AddRows<8>(g, plan, partial, dy, x, first, last);
}
void RowsBaseline(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x, int64_t first,
                  int64_t last) {
  AddRows<4>(g, plan, partial, dy, x, first, last);
}

/* dweight of the kLanes channels from `first` on, or fewer: the sum of all partial sums. */
HAST_CLONES void Combine(const Geometry& g, const Plan& plan, float* dweight, const float* partial, int64_t first) {
  constexpr int64_t kTaps = 16;
  const int64_t taps = g.r * g.s;
  const int64_t lanes = smaller(conv::kLanes, g.c - first);
  for (int64_t begin = 0; begin < taps; begin += kTaps) {
    const int64_t count = smaller(kTaps, taps - begin);
    double sum[kTaps * conv::kLanes] = {};
    for (int64_t group = 0; group < plan.groups; ++group) {
      const float* from = partial + group * plan.partial_floats + first * taps + begin * conv::kLanes;
      for (int64_t i = 0; i < count * conv::kLanes; ++i) sum[i] += from[i];
    }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      float* to = dweight + (first + lane) * taps + begin;
      for (int64_t tap = 0; tap < count; ++tap) to[tap] = static_cast<float>(sum[tap * conv::kLanes + lane]);
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
                                      int64_t s, const int32_t* window, void* stream) noexcept {
  const Geometry g = GeometryOf(n, h, w, c, r, s, window);
  if (any_null(dweight, dy, x, stream) || !g.valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < PartialBytes(g)) return HAST_EWORKSPACE;
  const Plan plan(g);
  float* partial = conv::Align(workspace);
  const RowsFunction function = conv::kIsa == Isa::kV4 ? RowsV4 : conv::kIsa == Isa::kV3 ? RowsV3 : RowsBaseline;
  parallel_for(stream, plan.groups, [&](int64_t group, int32_t) {
    function(g, plan, partial + group * plan.partial_floats, dy, x, group * plan.rows / plan.groups,
             (group + 1) * plan.rows / plan.groups);
  });
  parallel_for(stream, ceil_div(c, conv::kLanes),
               [&](int64_t block, int32_t) { Combine(g, plan, dweight, partial, block * conv::kLanes); });
  return HAST_OK;
}

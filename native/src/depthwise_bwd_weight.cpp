// Weight gradient of the depthwise convolution.
//
//   dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n,a,b,c]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
//
// Shapes: dy [n,p,q,c], x [n,h,w,c], dweight [c,r,s,1].
// Rounding: in float32 within a group of output rows, contraction allowed; in double across groups.
// Determinism: the number of groups depends on the sizes only, and they are added in order.
// Bytes: 8 read per output pixel and channel at stride 1.
//
// Eight neighbouring pixels of dy stay in registers while their products with the rows of x they meet are summed; the
// sum of each tap is added to the partial sums of the group, packed in the workspace, which stay in the nearest cache.
// The channels are the inner loop: memory is read in order.
#include <hast/conv.h>

#include <algorithm>

#include "depthwise.h"

namespace hast::depthwise {
namespace {

struct Plan {
  int64_t rows;  // of all images
  int64_t groups;
  int64_t partial_floats;  // of one group
  bool foresee;

  explicit Plan(const Geometry& g) {
    rows = g.n * g.p;
    partial_floats = packed_floats(g);
    // Many groups feed many workers, but each clears and adds its partial sums.
    constexpr int64_t kPartialFloats = 1 << 17;
    constexpr int64_t kGroupPixels = 64;
    const int64_t most = smaller(kPartialFloats / partial_floats, rows * g.q / kGroupPixels);
    groups = smaller(rows, std::clamp<int64_t>(most, 2, 64));
    foresee = foresees(g);
  }
};

// Output row i of an image; its first input row may lie outside.
struct Line {
  const float* dy;
  const float* x;
  int64_t first_u, last_u;  // taps [first, last) meet rows inside

  Line(const Geometry& g, const float* dy_, const float* x_, int64_t index) {
    const int64_t top = index % g.p * g.stride_h - g.top;
    dy = dy_ + index * g.q * g.c;
    x = x_ + (index / g.p * g.h + top) * g.w * g.c;
    first_u = ceil_div(larger(0, -top), g.dilation_h);
    last_u = larger(first_u, smaller(g.r, ceil_div(g.h - top, g.dilation_h)));
  }
};

// The sums of kOutputs pixels from j on for kTaps taps from v on of each row of the filter, channels [first, last),
// added to the partial sums. The stride is kStep, or any for a single tap, and several taps lie side by side. At an
// edge up to kTaps - 1 columns on the left and any on the right lie outside, or there are fewer pixels.
template <int kTaps, int kStep, bool kEdge>
struct Products {
  static constexpr int kOutputs = kPixels / kStep;
  static constexpr int kColumns = (kOutputs - 1) * kStep + kTaps;

  template <int kWidth>
  static HAST_INLINE void add(const Geometry& g, const Plan& plan, const Line& line, float* partial, int64_t j,
                              int64_t v, int64_t first, int64_t last) {
    const int64_t stride = kTaps == 1 ? g.stride_w : kStep;
    const int64_t column = j * stride + v * g.dilation_w - g.left;
    const int64_t row_step = g.dilation_h * g.w * g.c;
    const int64_t count = g.q - j;
    const int64_t right = g.w - column;
    const float* dy = line.dy + j * g.c;
    const float* x = line.x + column * g.c;
    const float* ahead = x + g.r * row_step + (kTaps - 1) * g.c;
    for (int64_t channel = first; channel < last; channel += kWidth) {
      Vector<kWidth> value[kOutputs];
      const Neighbors<kOutputs, const float> from(dy + channel, g.c);
#pragma GCC unroll 8
      for (int k = 0; k < kOutputs; k++) {
        value[k] = Vector<kWidth>{};
        if (kEdge && k >= count) continue;
        value[k] = HAST_VECTOR(kWidth, from[k]);
      }
      Neighbors<kTaps == 1 ? 1 : kColumns, const float> row(x + line.first_u * row_step + channel, g.c);
      float* to = hold(partial + packed_index(channel, g.r * g.s) + (line.first_u * g.s + v) * conv::kLanes);
      for (int64_t u = line.first_u; u < line.last_u; u++) {
        Vector<kWidth> sum[kTaps];
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; t++) sum[t] = Vector<kWidth>{};
        if constexpr (kTaps == 1) {
#pragma GCC unroll 8
          for (int k = 0; k < kOutputs; k++) {
            if (kEdge && (k >= count || column + k * stride < 0 || k * stride >= right)) continue;
            sum[0] += value[k] * HAST_VECTOR(kWidth, row[0] + k * stride * g.c);
          }
        } else {
#pragma GCC unroll 32
          for (int m = 0; m < kColumns; m++) {
            if (kEdge && m < kTaps - 1 && column + m < 0) continue;
            if (kEdge && m >= right) break;
            const Vector<kWidth> input = HAST_VECTOR(kWidth, row[m]);

#pragma GCC unroll 8
            for (int t = 0; t < kTaps; t++) {
              if (m >= t && (m - t) % kStep == 0 && (m - t) / kStep < kOutputs)
                sum[t] += value[(m - t) / kStep] * input;
            }
          }
        }
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; t++) *reinterpret_cast<Vector<kWidth>*>(to + t * conv::kLanes) += sum[t];
        row.advance(row_step);
        to += g.s * conv::kLanes;
      }
      if (kTaps > 1 && plan.foresee) {
#pragma GCC unroll 2
        for (int d = 0; d < kStep; d++)
          foresee<kOutputs * kStep * kWidth>(ahead + d * g.w * g.c + channel * kOutputs * kStep);
        foresee<kOutputs * kWidth>(dy + g.q * g.c + channel * kOutputs);
      }
    }
  }
};

// A line for kTaps taps from v on, added to the partial sums.
template <int kWidth, int kTaps, int kStep>
HAST_INLINE void add_taps(const Geometry& g, const Plan& plan, const Line& line, float* partial, int64_t v) {
  constexpr int kOutputs = Products<kTaps, kStep, false>::kOutputs;
  const int64_t whole = g.c / kWidth * kWidth;
  const int64_t quads = g.c / 4 * 4;
  const int64_t stride = kTaps == 1 ? g.stride_w : kStep;
  // Before this pixel the taps meet columns on the left only, which lie outside.
  const int64_t start = ceil_div(larger(0, 1 - kTaps - v * g.dilation_w + g.left), stride);
  for (int64_t j = start; j < g.q; j += kOutputs) {
    const int64_t column = j * stride + v * g.dilation_w - g.left;
    if (j + kOutputs <= g.q && column >= 0 && column + (kOutputs - 1) * stride + kTaps <= g.w) {
      Products<kTaps, kStep, false>::template add<kWidth>(g, plan, line, partial, j, v, 0, whole);
    } else {
      Products<kTaps, kStep, true>::template add<kWidth>(g, plan, line, partial, j, v, 0, whole);
    }
    if (kWidth > 4) Products<kTaps, kStep, true>::template add<4>(g, plan, line, partial, j, v, whole, quads);
    Products<kTaps, kStep, true>::template add<1>(g, plan, line, partial, j, v, quads, g.c);
  }
}

// Output rows [first, last) of all images.
template <int kWidth>
HAST_INLINE void add_rows(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                          int64_t first, int64_t last) {
  clear_floats(partial, plan.partial_floats);
  for (int64_t index = first; index < last; index++) {
    const Line line(g, dy, x, index);
    int64_t v = 0;
    if (g.dilation_w == 1 && g.stride_w == 1) {
      for (; v + 3 <= g.s; v += 3) add_taps<kWidth, 3, 1>(g, plan, line, partial, v);
    } else if (g.dilation_w == 1 && g.stride_w == 2) {
      for (; v + 3 <= g.s; v += 3) add_taps<kWidth, 3, 2>(g, plan, line, partial, v);
    }
    for (; v < g.s; v++) add_taps<kWidth, 1, 1>(g, plan, line, partial, v);
  }
}

using RowsFunction = void (*)(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                              int64_t first, int64_t last);

// dweight of the kLanes channels from `first` on, or fewer: the sum of all partial sums.
HAST_CLONES void combine_groups(const Geometry& g, const Plan& plan, float* dweight, const float* partial,
                                int64_t first) {
  constexpr int64_t kTaps = 16;
  const int64_t taps = g.r * g.s;
  const int64_t lanes = smaller(conv::kLanes, g.c - first);
  for (int64_t begin = 0; begin < taps; begin += kTaps) {
    const int64_t count = smaller(kTaps, taps - begin);
    double sum[kTaps * conv::kLanes] = {};
    for (int64_t group = 0; group < plan.groups; group++) {
      const float* from = partial + group * plan.partial_floats + first * taps + begin * conv::kLanes;
      for (int64_t i = 0; i < count * conv::kLanes; i++) sum[i] += from[i];
    }
    for (int64_t lane = 0; lane < lanes; lane++) {
      float* to = dweight + (first + lane) * taps + begin;
      for (int64_t tap = 0; tap < count; tap++) to[tap] = static_cast<float>(sum[tap * conv::kLanes + lane]);
    }
  }
}

}  // namespace

int64_t partial_bytes(const Geometry& g) {
  const Plan plan(g);
  return bytes_of<float>(conv::kAlignment + plan.groups * plan.partial_floats);
}

}  // namespace hast::depthwise

using namespace hast;
using namespace hast::depthwise;

int32_t hast_depthwise_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                      int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                      int64_t s, const int32_t* window, void* stream) noexcept {
  const Geometry g = depthwise_convolution(n, h, w, c, r, s, window);
  if (!valid::convolution(dweight, dy, x, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, partial_bytes(g))) return HAST_EWORKSPACE;
  const Plan plan(g);
  float* partial = conv::aligned(workspace);
  const auto function = conv::choose<RowsFunction, add_rows<16>, add_rows<8>, add_rows<4>>();
  parallel_for(stream, plan.groups, [&](int64_t group) {
    function(g, plan, partial + group * plan.partial_floats, dy, x, group * plan.rows / plan.groups,
             (group + 1) * plan.rows / plan.groups);
  });
  parallel_for(stream, ceil_div(c, conv::kLanes),
               [&](int64_t block) { combine_groups(g, plan, dweight, partial, block * conv::kLanes); });
  return HAST_OK;
}

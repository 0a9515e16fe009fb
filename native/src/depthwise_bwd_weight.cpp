/* Weight gradient of the depthwise convolution.
 *
 *   dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n, i stride + u - pad, j stride + v - pad, c]
 *
 * Shapes: dy [n,p,q,c], x [n,h,w,c], dweight [c,r,s,1]. 8 bytes read per output pixel and channel at stride 1.
 *
 * The output rows form strips of about kStripPixels pixels of one image, the strips form groups whose number depends on
 * the sizes only. A strip's sum of one tap stays in a register and is added to the partial sums of its group, [r s, c]
 * in the workspace; the groups are added in order, in double: the same bytes for any number of workers. Tasks split the
 * channels too. The channels of a vector go over the strip for one row of the filter after another, so what a strip
 * reads again comes from the nearest cache. */
#include <algorithm>

#include "depthwise.h"

namespace hast::depthwise {
namespace {

constexpr int64_t kStripPixels = 128;
constexpr int64_t kPieceChannels = 128;

struct Plan {
  int64_t strip_rows, image_strips;
  int64_t groups;
  int64_t partial_floats; /* of one group */

  explicit Plan(const Geometry& g) {
    strip_rows = std::min(g.p, std::max<int64_t>(1, kStripPixels / g.q));
    image_strips = ceil_div(g.p, strip_rows);
    partial_floats = g.r * g.s * g.c;
    /* Many groups feed many workers, but each adds a pass over the partial sums. */
    constexpr int64_t kPartialFloats = 1 << 18;
    groups = std::min(g.n * image_strips, std::clamp<int64_t>(kPartialFloats / partial_floats, 2, 64));
  }
};

/* Output rows [begin, end) of one image. */
struct Strip {
  const float* dy; /* of the image */
  const float* x;
  int64_t begin, end;
};

/* partial[v][..] += the strip's sums for S taps from (u, v) on, B vectors of L channels; all pointers are at the first
 * channel, partial at the first tap. */
template <int L, int B, int S>
HAST_INLINE void AddTaps(const Geometry& g, const Strip& strip, float* partial, int64_t channel, int64_t u, int64_t v) {
  Vector<L> sum[S][B];
#pragma GCC unroll 8
  for (int t = 0; t < S; ++t) {
#pragma GCC unroll 2
    for (int b = 0; b < B; ++b) sum[t][b] = Vector<L>{};
  }
  const int64_t column = v - g.pad;
  const Span inside(column, g.stride, S, g.w, g.q);
  for (int64_t i = strip.begin; i < strip.end; ++i) {
    const int64_t row = i * g.stride + u - g.pad;
    if (row < 0 || row >= g.h) continue;
    const float* dy = strip.dy + i * g.q * g.c + channel;
    const float* x = strip.x + row * g.w * g.c + channel;
    const auto add = [&](int64_t j, bool whole) HAST_LAMBDA {
      const int64_t at = j * g.stride + column;
#pragma GCC unroll 2
      for (int b = 0; b < B; ++b) {
        const Vector<L> value = HAST_VECTOR(L, dy + j * g.c + b * L);
#pragma GCC unroll 8
        for (int t = 0; t < S; ++t) {
          if (whole || (at + t >= 0 && at + t < g.w)) sum[t][b] += value * HAST_VECTOR(L, x + (at + t) * g.c + b * L);
        }
      }
    };
    for (int64_t j = 0; j < inside.begin; ++j) add(j, false);
    for (int64_t j = inside.begin; j < inside.end; ++j) add(j, true);
    for (int64_t j = inside.end; j < g.q; ++j) add(j, false);
  }
#pragma GCC unroll 8
  for (int t = 0; t < S; ++t) {
#pragma GCC unroll 2
    for (int b = 0; b < B; ++b) *reinterpret_cast<Vector<L>*>(partial + t * g.c + b * L) += sum[t][b];
  }
}

template <int L, int B>
HAST_INLINE void AddStrip(const Geometry& g, const Strip& strip, float* partial, int64_t begin, int64_t end) {
  for (int64_t channel = begin; channel < end; channel += L * B) {
    for (int64_t u = 0; u < g.r; ++u) {
      float* to = partial + u * g.s * g.c + channel;
      int64_t v = 0;
      for (; v + 3 <= g.s; v += 3) AddTaps<L, B, 3>(g, strip, to + v * g.c, channel, u, v);
      for (; v < g.s; ++v) AddTaps<L, B, 1>(g, strip, to + v * g.c, channel, u, v);
    }
  }
}

/* Channels [begin, end) of strips [first, last). */
template <int L>
HAST_INLINE void AddStrips(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                           int64_t first, int64_t last, int64_t begin, int64_t end) {
  const int64_t pairs = begin + (end - begin) / (2 * L) * (2 * L);
  const int64_t whole = begin + (end - begin) / L * L;
  const int64_t quads = begin + (end - begin) / 4 * 4;
  for (int64_t tap = 0; tap < g.r * g.s; ++tap) {
    std::memset(partial + tap * g.c + begin, 0, (end - begin) * sizeof(float));
  }
  for (int64_t index = first; index < last; ++index) {
    const int64_t image = index / plan.image_strips;
    const int64_t row = index % plan.image_strips * plan.strip_rows;
    const Strip strip{dy + image * g.p * g.q * g.c, x + image * g.h * g.w * g.c, row,
                      std::min(g.p, row + plan.strip_rows)};
    AddStrip<L, 2>(g, strip, partial, begin, pairs);
    AddStrip<L, 1>(g, strip, partial, pairs, whole);
    if (L > 4) AddStrip<4, 1>(g, strip, partial, whole, quads);
    AddStrip<1, 1>(g, strip, partial, quads, end);
  }
}

using StripsFunction = void (*)(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                                int64_t first, int64_t last, int64_t begin, int64_t end);

HAST_TARGET_V4 void StripsV4(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                             int64_t first, int64_t last, int64_t begin, int64_t end) {
  AddStrips<16>(g, plan, partial, dy, x, first, last, begin, end);
}
HAST_TARGET_V3 void StripsV3(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x,
                             int64_t first, int64_t last, int64_t begin, int64_t end) {
  AddStrips<8>(g, plan, partial, dy, x, first, last, begin, end);
}
void StripsBaseline(const Geometry& g, const Plan& plan, float* partial, const float* dy, const float* x, int64_t first,
                    int64_t last, int64_t begin, int64_t end) {
  AddStrips<4>(g, plan, partial, dy, x, first, last, begin, end);
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
  const int64_t strips = n * plan.image_strips;
  const int64_t pieces = ceil_div(c, kPieceChannels);
  const StripsFunction function = conv::kIsa == Isa::kV4   ? StripsV4
                                  : conv::kIsa == Isa::kV3 ? StripsV3
                                                           : StripsBaseline;
  parallel_for(stream, plan.groups * pieces, [&](int64_t task, int32_t) {
    const int64_t group = task / pieces;
    const int64_t begin = task % pieces * kPieceChannels;
    function(g, plan, partial + group * plan.partial_floats, dy, x, group * strips / plan.groups,
             (group + 1) * strips / plan.groups, begin, smaller(c, begin + kPieceChannels));
  });
  parallel_for(stream, pieces, [&](int64_t piece, int32_t) {
    const int64_t begin = piece * kPieceChannels;
    Combine(g, plan, dweight, partial, begin, smaller(c, begin + kPieceChannels));
  });
  return HAST_OK;
}

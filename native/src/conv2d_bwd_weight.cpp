/* Weight gradient of the convolution.
 *
 *   dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n,a,b,c']
 *   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left, c' channel c of the group of o
 *
 * Shapes: dy [n,p,q,k], x [n,h,w,c], dweight [k,r,s,c/groups]. Deterministic: images form parts whose number depends on
 * the sizes only; each part has its own partial sums in the workspace, added in the order of the parts, so any number
 * of workers gives the same bytes. Beyond the parts, tasks split output channels, kernel rows or frequencies.
 *
 * Winograd F(2x2,3x3) differentiated, for 3x3 stride 1, even images and whole blocks of 16 channels: sums of 8 outputs
 * x 2 blocks of inputs (16 x 1 for c = 16) stay in registers over a band of about 32 tiles. Otherwise 3 columns x 8
 * outputs over the pixels of an image; all 27 taps of three input channels at once for the stem; padded copies of input
 * rows for any other shape, and for groups, whose work is that of at least one vector of input channels each: where
 * groups have few, copies of input rows that give each lane of a vector of outputs what its own group sees.
 *
 * Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 199;
 * 16->16 @32 321; 32->32 @16 371; 64->64 @8 410; 16->32 @32 stride 2 237; 32->64 @16 stride 2 250; 1x1 stride 2 164,
 * 158; n = 16: 128->128 @16 432; 128->64 @32 344; 64->3 @32 226. Direct only, the three middle layers took 1.27, 1.19
 * and 1.05 ms, now 0.90, 0.78 and 0.71. */
#include <hast/status.h>

#include "conv2d_bwd_weight_any.h"
#include "conv2d_bwd_weight_winograd.h"
#include "parallel.h"

namespace hast::conv {
namespace {

WeightPlan PlanOf(const Geometry& g) {
  WeightPlan plan{};
  const bool aligned = g.groups == 1 && g.w == g.q * g.stride_w && g.h == g.p * g.stride_h && g.stride_w <= 2;
  const bool centered = g.left == 1 || (g.left == 0 && g.stride_w == 2);
  const bool three = g.r == 3 && g.s == 3 && g.dilation_w == 1 && centered && aligned && g.q >= 2;
  const bool one = g.r == 1 && g.s == 1 && g.left == 0 && aligned;
  plan.padded_c = RoundUp(g.group_c(), kLanes);
  plan.method = Method::kPadded;
  if (g.c % kLanes == 0 && (three || one)) plan.method = Method::kColumns;
  if (g.c == 3 && g.k % kLanes == 0 && three && g.plain(1, 1) && g.w <= kMaxStemWidth) {
    plan.method = Method::kStem;
    plan.padded_c = 3;
  }
  if (g.r == 3 && g.s == 3 && g.plain(1, 1) && g.groups == 1 && g.h % 2 == 0 && g.w % 2 == 0 && g.c % kLanes == 0 &&
      g.k % kLanes == 0 && g.n * g.h * g.w >= 256 && BandRows(g) > 0) {
    plan.method = Method::kWinograd;
    plan.partial_floats = 16 * g.k * g.c;
    plan.zeros = g.c;
    plan.parts = std::min(g.n, std::clamp<int64_t>((1 << 18) / plan.partial_floats, 2, 16));
    return plan;
  }
  /* A value is moved once for each lane, and used for all taps; kPadded would fill lanes with inputs of one group. */
  const int64_t taps = g.r * g.s;
  if (g.groups > 1 && g.group_c() * (kLanes + taps) < kLanes * taps &&
      (g.w * g.group_c() + g.q) * kLanes <= kScratchFloats) {
    plan.method = Method::kSpread;
    plan.padded_c = g.group_c();
  }
  plan.partial_floats = RoundUp(g.k, plan.method == Method::kSpread ? kLanes : 1) * taps * plan.padded_c;
  if (plan.method == Method::kPadded) {
    /* Groups lie side by side: what a vector reads beyond one is not used. */
    plan.pixel_floats = g.groups == 1 ? plan.padded_c : g.c;
    plan.row_floats = (g.left + g.w + g.right) * plan.pixel_floats + kLanes;
  }
  /* Many parts feed many workers, but each adds a pass over the partial sums. Large gradients are split over output
   * channels too and need few. A function of the sizes only: the parts fix the order of the sums. */
  constexpr int64_t kPartialFloats = 1 << 17;
  plan.parts = std::min(g.n, std::clamp<int64_t>(kPartialFloats / plan.partial_floats, 2, 32));
  return plan;
}

/* kColumns, kStem, kSpread: output channels [begin, end). */
using PartFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end);
using PaddedFunction = void (*)(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy,
                                const float* x, int64_t image_begin, int64_t image_end, int64_t u, float* row);

using WinogradPartFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x,
                                      int64_t image_begin, int64_t image_end, int64_t frequency_begin,
                                      int64_t frequency_end, const float* zeros, float* scratch);
using WinogradReduceFunction = void (*)(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                        int64_t o);

template <int O, int C>
HAST_TARGET_V4 void WinogradV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  WinogradPart<16, O, C>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
HAST_TARGET_V3 void WinogradV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                               int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                               float* scratch) {
  WinogradPart<8, 4, 2>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
void WinogradBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                      int64_t image_end, int64_t frequency_begin, int64_t frequency_end, const float* zeros,
                      float* scratch) {
  WinogradPart<4, 4, 2>(g, partial, dy, x, image_begin, image_end, frequency_begin, frequency_end, zeros, scratch);
}
HAST_TARGET_V4 void WinogradReduceV4(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                     int64_t o) {
  WinogradReduce<16>(g, plan, dweight, partial, o);
}
HAST_TARGET_V3 void WinogradReduceV3(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                     int64_t o) {
  WinogradReduce<8>(g, plan, dweight, partial, o);
}
void WinogradReduceBaseline(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                            int64_t o) {
  WinogradReduce<4>(g, plan, dweight, partial, o);
}

template <int S, int D, int Left>
HAST_TARGET_V4 void ColumnsV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end) {
  ColumnsPart<16, S, D, Left, S == 1 ? 16 : 8>(g, partial, dy, x, image_begin, image_end, begin, end);
}
template <int S, int D, int Left>
HAST_TARGET_V3 void ColumnsV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end) {
  ColumnsPart<8, S, D, Left, 4>(g, partial, dy, x, image_begin, image_end, begin, end);
}
template <int S, int D, int Left>
void ColumnsBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                     int64_t image_end, int64_t begin, int64_t end) {
  ColumnsPart<4, S, D, Left, 4>(g, partial, dy, x, image_begin, image_end, begin, end);
}

HAST_TARGET_V4 void StemV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t begin, int64_t end) {
  StemPart<16, 3>(g, partial, dy, x, image_begin, image_end, begin, end);
}
HAST_TARGET_V3 void StemV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                           int64_t image_end, int64_t begin, int64_t end) {
  StemPart<8, 1>(g, partial, dy, x, image_begin, image_end, begin, end);
}
void StemBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                  int64_t image_end, int64_t begin, int64_t end) {
  StemPart<4, 1>(g, partial, dy, x, image_begin, image_end, begin, end);
}

HAST_TARGET_V4 void PaddedV4(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy, const float* x,
                             int64_t image_begin, int64_t image_end, int64_t u, float* row) {
  PaddedPart<16>(g, plan, partial, dy, x, image_begin, image_end, u, row);
}
HAST_TARGET_V3 void PaddedV3(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy, const float* x,
                             int64_t image_begin, int64_t image_end, int64_t u, float* row) {
  PaddedPart<8>(g, plan, partial, dy, x, image_begin, image_end, u, row);
}
void PaddedBaseline(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy, const float* x,
                    int64_t image_begin, int64_t image_end, int64_t u, float* row) {
  PaddedPart<4>(g, plan, partial, dy, x, image_begin, image_end, u, row);
}

/* All of output channels [begin, end). */
template <int L>
HAST_INLINE void SpreadParts(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; o += L) SpreadPart<L>(g, partial, dy, x, image_begin, image_end, o);
}
HAST_TARGET_V4 void SpreadV4(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t begin, int64_t end) {
  SpreadParts<16>(g, partial, dy, x, image_begin, image_end, begin, end);
}
HAST_TARGET_V3 void SpreadV3(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                             int64_t image_end, int64_t begin, int64_t end) {
  SpreadParts<8>(g, partial, dy, x, image_begin, image_end, begin, end);
}
void SpreadBaseline(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                    int64_t image_end, int64_t begin, int64_t end) {
  SpreadParts<4>(g, partial, dy, x, image_begin, image_end, begin, end);
}

template <int S, int D, int Left>
PartFunction ColumnsFunction() {
  return kIsa == Isa::kV4   ? ColumnsV4<S, D, Left>
         : kIsa == Isa::kV3 ? ColumnsV3<S, D, Left>
                            : ColumnsBaseline<S, D, Left>;
}

/* dweight[o] from the partial sums of all parts, in order. */
void Reduce(const Geometry& g, const WeightPlan& plan, int64_t lanes, float* dweight, const float* partial, int64_t o) {
  if (plan.method == Method::kStem || plan.method == Method::kSpread) {
    const int64_t taps = g.r * g.s * g.group_c();
    for (int64_t e = 0; e < taps; ++e) {
      float sum = 0.0f;
      for (int64_t part = 0; part < plan.parts; ++part) {
        sum += partial[part * plan.partial_floats + o / lanes * lanes * taps + e * lanes + o % lanes];
      }
      dweight[o * taps + e] = sum;
    }
    return;
  }
  for (int64_t tap = 0; tap < g.r * g.s; ++tap) {
    const float* from = partial + (o * g.r * g.s + tap) * plan.padded_c;
    float* to = dweight + (o * g.r * g.s + tap) * g.group_c();
    std::memcpy(to, from, g.group_c() * sizeof(float));
    for (int64_t part = 1; part < plan.parts; ++part) {
      const float* more = from + part * plan.partial_floats;
      for (int64_t c = 0; c < g.group_c(); ++c) to[c] += more[c];
    }
  }
}

}  // namespace

int64_t BackwardWeightWorkspaceBytes(const Geometry& g) {
  const WeightPlan plan = PlanOf(g);
  return kAlignment + 4 * (plan.parts * (plan.partial_floats + g.r * plan.row_floats) + plan.zeros);
}

}  // namespace hast::conv

using namespace hast::conv;

int32_t hast_conv2d_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                   int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                   int64_t r, int64_t s, int32_t groups, const int32_t* window, void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (dweight == nullptr || dy == nullptr || x == nullptr || stream == nullptr || !g.valid()) return HAST_EARGUMENT;
  if (workspace == nullptr || workspace_bytes < BackwardWeightWorkspaceBytes(g)) return HAST_EWORKSPACE;
  const WeightPlan plan = PlanOf(g);
  float* partial = Align(workspace);
  float* rows = partial + plan.parts * plan.partial_floats;
  const int64_t lanes = LanesOf(kIsa);
  const auto first_image = [&](int64_t part) { return part * n / plan.parts; };

  constexpr int64_t kSerialFloats = 1 << 15;

  if (plan.method == Method::kWinograd) {
    float* zeros = partial + plan.parts * plan.partial_floats;
    std::memset(zeros, 0, c * sizeof(float));
    const WinogradPartFunction part_function = kIsa == Isa::kV3         ? WinogradV3
                                               : kIsa == Isa::kBaseline ? WinogradBaseline
                                               : c % 32 == 0            ? WinogradV4<8, 2>
                                                                        : WinogradV4<16, 1>;
    const int64_t pieces = plan.parts >= 16 ? 1 : plan.parts >= 4 ? 2 : 4;
    hast::parallel_for(stream, plan.parts * pieces, [&](int64_t task, int32_t) {
      const int64_t part = task / pieces;
      const int64_t frequency = task % pieces * 4 / pieces;
      part_function(g, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), frequency,
                    frequency + 4 / pieces, zeros, Scratch());
    });
    const WinogradReduceFunction reduce_function = kIsa == Isa::kV4   ? WinogradReduceV4
                                                   : kIsa == Isa::kV3 ? WinogradReduceV3
                                                                      : WinogradReduceBaseline;
    const auto reduce = [&](int64_t o, int32_t) { reduce_function(g, plan, dweight, partial, o); };
    if (plan.parts * plan.partial_floats <= kSerialFloats) {
      for (int64_t o = 0; o < k; ++o) reduce(o, 0);
    } else {
      hast::parallel_for(stream, k, reduce);
    }
    return HAST_OK;
  }

  if (plan.method == Method::kPadded) {
    const PaddedFunction function = kIsa == Isa::kV4 ? PaddedV4 : kIsa == Isa::kV3 ? PaddedV3 : PaddedBaseline;
    hast::parallel_for(stream, plan.parts * r, [&](int64_t task, int32_t) {
      const int64_t part = task / r;
      function(g, plan, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), task % r,
               rows + task * plan.row_floats);
    });
  } else {
    PartFunction function;
    if (plan.method == Method::kStem) {
      function = kIsa == Isa::kV4 ? StemV4 : kIsa == Isa::kV3 ? StemV3 : StemBaseline;
    } else if (plan.method == Method::kSpread) {
      function = kIsa == Isa::kV4 ? SpreadV4 : kIsa == Isa::kV3 ? SpreadV3 : SpreadBaseline;
    } else if (s == 3) {
      function = g.stride_w == 1 ? ColumnsFunction<3, 1, 1>()
                 : g.left == 1   ? ColumnsFunction<3, 2, 1>()
                                 : ColumnsFunction<3, 2, 0>();
    } else {
      function = g.stride_w == 1 ? ColumnsFunction<1, 1, 0>() : ColumnsFunction<1, 2, 0>();
    }
    const int64_t pieces = CeilDiv(k, kLanes);
    hast::parallel_for(stream, plan.parts * pieces, [&](int64_t task, int32_t) {
      const int64_t part = task / pieces;
      const int64_t o = task % pieces * kLanes;
      function(g, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), o,
               std::min(o + kLanes, k));
    });
  }
  const auto reduce = [&](int64_t o, int32_t) { Reduce(g, plan, lanes, dweight, partial, o); };
  if (plan.parts * plan.partial_floats <= kSerialFloats) {
    for (int64_t o = 0; o < k; ++o) reduce(o, 0);
  } else {
    hast::parallel_for(stream, k, reduce);
  }
  return HAST_OK;
}

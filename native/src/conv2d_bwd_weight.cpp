// Weight gradient of the convolution.
//
//   dweight[o,u,v,c] = sum_{n,i,j} dy[n,i,j,o] x[n,a,b,c']
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left, c' channel c of the group of o
//
// Shapes: dy [n,p,q,k], x [n,h,w,c], dweight [k,r,s,c/groups].
// Rounding: in float32, contraction allowed.
// Determinism: images form parts whose number depends on the sizes only; each part has its own partial sums in the
// workspace, added in the order of the parts. Beyond the parts, tasks split output channels, kernel rows or
// frequencies.
// Bytes: 4 per dy and x, and the partial sums; bound by arithmetic.
//
// Winograd F(2x2,3x3) differentiated, for 3x3 stride 1, even images and whole blocks of 16 channels: sums of 8 outputs
// x 2 blocks of inputs (16 x 1 for c = 16) stay in registers over a band of about 32 tiles. Otherwise 3 columns x 8
// outputs over the pixels of an image; all 27 taps of three input channels at once for the stem; padded copies of input
// rows for any other shape, and for groups, whose work is that of at least one vector of input channels each: where
// groups have few, copies of input rows that give each lane of a vector of outputs what its own group sees.
//
// Measured, GFLOP/s of the direct sum, one thread, Zen 5 with AVX-512, n = 64 unless given, 2026-11: 3->16 @32 199;
// 16->16 @32 321; 32->32 @16 371; 64->64 @8 410; 16->32 @32 stride 2 237; 32->64 @16 stride 2 250; 1x1 stride 2 164,
// 158; n = 16: 128->128 @16 432; 128->64 @32 344; 64->3 @32 226. Direct only, the three middle layers took 1.27, 1.19
// and 1.05 ms, now 0.90, 0.78 and 0.71.
#include <hast/conv.h>

#include "conv2d_bwd_weight_any.h"
#include "conv2d_bwd_weight_winograd.h"
#include "parallel.h"

namespace hast::conv {
namespace {

WeightPlan plan_of(const Geometry& g) {
  WeightPlan plan{};
  const bool aligned = g.groups == 1 && g.w == g.q * g.stride_w && g.h == g.p * g.stride_h && g.stride_w <= 2;
  const bool centered = g.left == 1 || (g.left == 0 && g.stride_w == 2);
  const bool three = g.r == 3 && g.s == 3 && g.dilation_w == 1 && centered && aligned && g.q >= 2;
  const bool one = g.r == 1 && g.s == 1 && g.left == 0 && aligned;
  plan.padded_c = round_up(g.group_c(), kLanes);
  plan.method = Method::kPadded;
  if (g.c % kLanes == 0 && (three || one)) plan.method = Method::kColumns;
  if (g.c == 3 && g.k % kLanes == 0 && three && g.plain(1, 1) && g.w <= kMaxStemWidth) {
    plan.method = Method::kStem;
    plan.padded_c = 3;
  }
  if (g.r == 3 && g.s == 3 && g.plain(1, 1) && g.groups == 1 && g.h % 2 == 0 && g.w % 2 == 0 && g.c % kLanes == 0 &&
      g.k % kLanes == 0 && g.n * g.h * g.w >= 256 && winograd_band_rows(g) > 0) {
    plan.method = Method::kWinograd;
    plan.partial_floats = 16 * g.k * g.c;
    plan.zeros = g.c;
    plan.parts = smaller(g.n, std::clamp<int64_t>((1 << 18) / plan.partial_floats, 2, 16));
    return plan;
  }
  // A value is moved once for each lane, and used for all taps; kPadded would fill lanes with inputs of one group.
  const int64_t taps = g.r * g.s;
  if (g.groups > 1 && g.group_c() * (kLanes + taps) < kLanes * taps &&
      (g.w * g.group_c() + g.q) * kLanes <= kScratchFloats) {
    plan.method = Method::kSpread;
    plan.padded_c = g.group_c();
  }
  plan.partial_floats = round_up(g.k, plan.method == Method::kSpread ? kLanes : 1) * taps * plan.padded_c;
  if (plan.method == Method::kPadded) {
    // Groups lie side by side: what a vector reads beyond one is not used.
    plan.pixel_floats = g.groups == 1 ? plan.padded_c : g.c;
    plan.row_floats = (g.left + g.w + g.right) * plan.pixel_floats + kLanes;
  }
  // Many parts feed many workers, but each adds a pass over the partial sums. Large gradients are split over output
  // channels too and need few. A function of the sizes only: the parts fix the order of the sums.
  constexpr int64_t kPartialFloats = 1 << 17;
  plan.parts = smaller(g.n, std::clamp<int64_t>(kPartialFloats / plan.partial_floats, 2, 32));
  return plan;
}

// kColumns, kStem, kSpread: output channels [begin, end).
using PartFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end);
using PaddedFunction = void (*)(const Geometry& g, const WeightPlan& plan, float* partial, const float* dy,
                                const float* x, int64_t image_begin, int64_t image_end, int64_t u, float* row);

using WinogradPartFunction = void (*)(const Geometry& g, float* partial, const float* dy, const float* x,
                                      int64_t image_begin, int64_t image_end, int64_t frequency_begin,
                                      int64_t frequency_end, const float* zeros, float* scratch);
using WinogradReduceFunction = void (*)(const Geometry& g, const WeightPlan& plan, float* dweight, const float* partial,
                                        int64_t o);

// All of output channels [begin, end).
template <int kWidth>
HAST_INLINE void spread_parts(const Geometry& g, float* partial, const float* dy, const float* x, int64_t image_begin,
                              int64_t image_end, int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; o += kWidth) spread_part<kWidth>(g, partial, dy, x, image_begin, image_end, o);
}

template <int kTaps, int kStep, int kPadding>
PartFunction columns_function() {
  return choose<PartFunction, columns_part<16, kTaps, kStep, kPadding, kTaps == 1 ? 16 : 8>,
                columns_part<8, kTaps, kStep, kPadding, 4>, columns_part<4, kTaps, kStep, kPadding, 4>>();
}

// dweight[o] from the partial sums of all parts, in order.
void reduce_parts(const Geometry& g, const WeightPlan& plan, int64_t lanes, float* dweight, const float* partial,
                  int64_t o) {
  if (plan.method == Method::kStem || plan.method == Method::kSpread) {
    const int64_t taps = g.r * g.s * g.group_c();
    for (int64_t e = 0; e < taps; e++) {
      float sum = 0.0f;
      for (int64_t part = 0; part < plan.parts; part++) {
        sum += partial[part * plan.partial_floats + o / lanes * lanes * taps + e * lanes + o % lanes];
      }
      dweight[o * taps + e] = sum;
    }
    return;
  }
  for (int64_t tap = 0; tap < g.r * g.s; tap++) {
    const float* from = partial + (o * g.r * g.s + tap) * plan.padded_c;
    float* to = dweight + (o * g.r * g.s + tap) * g.group_c();
    copy_floats(to, from, g.group_c());
    for (int64_t part = 1; part < plan.parts; part++) {
      const float* more = from + part * plan.partial_floats;
      for (int64_t c = 0; c < g.group_c(); c++) to[c] += more[c];
    }
  }
}

}  // namespace

int64_t backward_weight_workspace_bytes(const Geometry& g) {
  const WeightPlan plan = plan_of(g);
  return kAlignment + bytes_of<float>(plan.parts * (plan.partial_floats + g.r * plan.row_floats) + plan.zeros);
}

}  // namespace hast::conv

using namespace hast;
using namespace hast::conv;

int32_t hast_conv2d_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                   int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k,
                                   int64_t r, int64_t s, int32_t groups, const int32_t* window, void* stream) noexcept {
  const Geometry g(n, h, w, c, k, r, s, groups, window);
  if (!valid::convolution(dweight, dy, x, g, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, backward_weight_workspace_bytes(g))) return HAST_EWORKSPACE;
  const WeightPlan plan = plan_of(g);
  float* partial = aligned(workspace);
  float* rows = partial + plan.parts * plan.partial_floats;
  const int64_t lanes = lanes_of(kIsa);
  const auto first_image = [&](int64_t part) { return part * n / plan.parts; };

  constexpr int64_t kSerialFloats = 1 << 15;

  if (plan.method == Method::kWinograd) {
    float* zeros = partial + plan.parts * plan.partial_floats;
    clear_floats(zeros, c);
    const auto part_function =
        c % 32 == 0
            ? choose<WinogradPartFunction, winograd_part<16, 8, 2>, winograd_part<8, 4, 2>, winograd_part<4, 4, 2>>()
            : choose<WinogradPartFunction, winograd_part<16, 16, 1>, winograd_part<8, 4, 2>, winograd_part<4, 4, 2>>();
    const int64_t pieces = plan.parts >= 16 ? 1 : plan.parts >= 4 ? 2 : 4;
    hast::parallel_for(stream, plan.parts * pieces, [&](int64_t task) {
      const int64_t part = task / pieces;
      const int64_t frequency = task % pieces * 4 / pieces;
      part_function(g, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), frequency,
                    frequency + 4 / pieces, zeros, thread_scratch());
    });
    const auto reduce_function =
        choose<WinogradReduceFunction, winograd_reduce<16>, winograd_reduce<8>, winograd_reduce<4>>();
    const auto reduce = [&](int64_t o) { reduce_function(g, plan, dweight, partial, o); };
    if (plan.parts * plan.partial_floats <= kSerialFloats) {
      for (int64_t o = 0; o < k; o++) reduce(o);
    } else {
      hast::parallel_for(stream, k, reduce);
    }
    return HAST_OK;
  }

  if (plan.method == Method::kPadded) {
    const auto function = choose<PaddedFunction, padded_part<16>, padded_part<8>, padded_part<4>>();
    hast::parallel_for(stream, plan.parts * r, [&](int64_t task) {
      const int64_t part = task / r;
      function(g, plan, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), task % r,
               rows + task * plan.row_floats);
    });
  } else {
    PartFunction function;
    if (plan.method == Method::kStem) {
      function = choose<PartFunction, stem_part<16, 3>, stem_part<8, 1>, stem_part<4, 1>>();
    } else if (plan.method == Method::kSpread) {
      function = choose<PartFunction, spread_parts<16>, spread_parts<8>, spread_parts<4>>();
    } else if (s == 3) {
      function = g.stride_w == 1 ? columns_function<3, 1, 1>()
                 : g.left == 1   ? columns_function<3, 2, 1>()
                                 : columns_function<3, 2, 0>();
    } else {
      function = g.stride_w == 1 ? columns_function<1, 1, 0>() : columns_function<1, 2, 0>();
    }
    const int64_t pieces = ceil_div(k, kLanes);
    hast::parallel_for(stream, plan.parts * pieces, [&](int64_t task) {
      const int64_t part = task / pieces;
      const int64_t o = task % pieces * kLanes;
      function(g, partial + part * plan.partial_floats, dy, x, first_image(part), first_image(part + 1), o,
               smaller(o + kLanes, k));
    });
  }
  const auto reduce = [&](int64_t o) { reduce_parts(g, plan, lanes, dweight, partial, o); };
  if (plan.parts * plan.partial_floats <= kSerialFloats) {
    for (int64_t o = 0; o < k; o++) reduce(o);
  } else {
    hast::parallel_for(stream, k, reduce);
  }
  return HAST_OK;
}

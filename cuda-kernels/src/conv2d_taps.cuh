// Convolution by taps: the forward map and, with the channels exchanged, the data gradient, of kernels with few taps.
//
// A block of 128 threads computes kPixels consecutive outputs x kChannels channels of a group. It goes through the
// source's channels eight at a time. A stage holds these of the range of source pixels that the outputs read
// (conv2d_reach.cuh) and of the weights of all taps, so a source value is copied once for all taps; the copies of the
// next stage run while this one is multiplied. Under HAST_MATH_TF32 whoever copied a value also rounds it, once, in
// place, and the products are mma.m16n8k8; under HAST_MATH_FP32 they are multiply-adds over the same tables, each
// thread having the same outputs. A value is one sum in an order fixed by the sizes: deterministic.
//
// The order of the eight terms and of 16 neighbouring channels within the products is free. Lane 4 g + t takes terms
// 2t and 2t + 1 as its two, one 8-byte read; and column n of the two products of 16 channels is channel 2n in the
// first, 2n + 1 in the second, so that a lane ends up with four neighbouring channels, one 16-byte write.
//
// Banks. An 8-byte read is served by half-warps, t in 0..3 and four values of g. Source pixels lie 8 floats apart where
// neighbouring outputs read neighbouring pixels, 12 with step 2: neighbours in a product are then 8 or 24 banks apart,
// and their eights meet each bank once; other steps may meet some twice.
// Forward weights are rows of 8 terms, one for each channel: the same. Adjoint weights are rows of channels, one for
// each term, kChannels + 4 floats apart: rows 2t are 8 t banks apart, and the lanes' pairs of channels fill the gaps.
// A 16-byte access is served by eight lanes at a time, and source and weights are staged in an order in which these
// write to different banks. Under HAST_MATH_FP32 a lane of t = 0..3 reads four terms of channel 4 t + l: the forward
// weights of these four channels are neighbours.
#ifndef HAST_CONV2D_TAPS_CUH
#define HAST_CONV2D_TAPS_CUH

#include <hast/device.h>

#include "conv2d_reach.cuh"

namespace hast {

constexpr int kTapThreads = 128;
constexpr int kTerms = 8;  // source channels of a stage
constexpr int kMostPhases = 4;

struct TapsProblem {
  float* out;
  const float* source;
  const float* weight;
  const float* bias;  // or null; not with accumulate
  // The adjoint treats pixels of the same row and column modulo the strides alike: output (n, i, j) of phase
  // spread_w row + column is pixel (n, i spread_h + row, j spread_w + column).
  Reach reach[kMostPhases];
  int phases, spread_h, spread_w, out_h, out_w;
  int groups;
  int source_channels, out_channels;        // of a group
  int source_step, out_step;                // channels of all groups
  int filter;                               // taps of the kernel, r s
  int pixel_floats;                         // from one source pixel to the next in shared memory
  int table_rows;                           // at most, of the source pixels
  int most_taps;                            // of a phase
  bool wide_source, wide_weight, wide_out;  // 16-byte accesses
  bool accumulate;
};

template <bool kAdjointMap, bool kTensorCores, int kPixelWarps, int kMTilesOfWarp, int kNTilesOfWarp>
struct TapsTile {
  static constexpr bool kAdjoint = kAdjointMap;
  static constexpr bool kTf32 = kTensorCores;
  static constexpr int kMTiles = kMTilesOfWarp;  // products of 16 pixels
  static constexpr int kNTiles = kNTilesOfWarp;  // products of 8 channels
  static constexpr int kChannelWarps = kTapThreads / kWarp / kPixelWarps;
  static constexpr int kPixels = kPixelWarps * kMTiles * 16;
  static constexpr int kChannels = kChannelWarps * kNTiles * 8;
  // The weights of a tap.
  static constexpr int kWeightRows = kAdjoint ? kTerms : kChannels;
  static constexpr int kWeightColumns = kAdjoint ? kChannels : kTerms;
  static constexpr int kWeightStep = kAdjoint ? kChannels + 4 : kTerms;
  static constexpr int kTapFloats = kWeightRows * kWeightStep;
  static_assert(kNTiles % 2 == 0 && kPixels <= kTapThreads);
  // The place of a tap's weights that is filled i-th, eight lanes at a time and these in different banks, and the row
  // that it holds: of the forward map's channels those together that lanes t = 0..3 read together.
  static __device__ int weight_place(int i) { return kAdjoint && kChannels == 16 ? spread_row<4, 2>(i) : i; }
  static __device__ int weight_row(int place) {
    return kAdjoint ? place : kTf32 ? spread_row<2, 8>(place) : spread_row<4, 4>(place);
  }
  // Fewer sums leave registers for more blocks on a multiprocessor, and too little work in one tap to hide its reads.
  static constexpr int kProducts = kMTiles * kNTiles;
  static constexpr int kBlocks = (kProducts >= 16 ? 4 : kProducts >= 8 ? 5 : 6) - (kTf32 ? 0 : 1);
  static constexpr int kTapsAtOnce = kTf32 && kProducts <= 4 ? 3 : 1;
};

// A block's shared memory.
template <class T>
struct TapsShared {
  int* bases;         // [kPixels] source pixel of an output
  unsigned* present;  // [kPixels] taps that it has
  int* targets;       // [kPixels] its pixel of the result; -1 beyond the end
  float* zeros;       // [kTerms]
  float* stages;      // two: source pixels, then weights
  int weights;        // where a stage's weights begin
  int stage_floats;

  __device__ TapsShared(float* shared, const TapsProblem& p)
      : bases(reinterpret_cast<int*>(shared)),
        present(reinterpret_cast<unsigned*>(bases + T::kPixels)),
        targets(bases + 2 * T::kPixels),
        zeros(shared + 3 * T::kPixels),
        stages(zeros + kTerms),
        weights(p.table_rows * p.pixel_floats),
        stage_floats(weights + p.most_taps * T::kTapFloats) {}

  static int64_t bytes(const TapsProblem& p) {
    const int64_t stage = int64_t{p.table_rows} * p.pixel_floats + p.most_taps * T::kTapFloats;
    return 4 * (3 * T::kPixels + kTerms + 2 * stage);
  }
};

// This thread's share of the source pixels of the stage that begins at `channel`.
template <class T, class Item, int kWide>
__device__ void source_items(const TapsProblem& p, int group, bool single, const Range& range, const int* bases,
                             float* table, int channel) {
  constexpr int kPieces = kTerms / kWide;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < spread_rows(range.count) * kPieces; i += kTapThreads) {
    const int piece = i % kPieces * kWide;
    const int row = p.pixel_floats == kTerms ? i / kPieces : spread_row<2, 4>(i / kPieces);
    if (row >= range.count) continue;
    const bool present = channel + piece < p.source_channels;
    const int64_t pixel = single ? bases[row] : range.start + row;
    const float* from = p.source + pixel * p.source_step + group * p.source_channels + (present ? channel + piece : 0);
    Item::template apply<kWide>(table + row * p.pixel_floats + piece, from, present);
  }
}

// The same of the weights, for outputs from channel `out` on.
template <class T, class Item, int kWide>
__device__ void weight_items(const TapsProblem& p, int group, const Reach& reach, float* weights, int channel,
                             int out) {
  constexpr int kPieces = T::kWeightColumns / kWide;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < reach.taps * T::kWeightRows * kPieces; i += kTapThreads) {
    const int piece = i % kPieces * kWide, tap = i / (kPieces * T::kWeightRows);
    const int place = T::weight_place(i / kPieces % T::kWeightRows), row = T::weight_row(place);
    // The forward map's rows are output channels, the adjoint's are source channels.
    const int outer = T::kAdjoint ? channel + row : out + row;
    const int inner = T::kAdjoint ? out + piece : channel + piece;
    const int outers = T::kAdjoint ? p.source_channels : p.out_channels;
    const int inners = T::kAdjoint ? p.out_channels : p.source_channels;
    const bool present = outer < outers && inner < inners;
    const int64_t at = ((int64_t{group} * outers + outer) * p.filter + reach.tap[tap].filter) * inners + inner;
    Item::template apply<kWide>(weights + tap * T::kTapFloats + place * T::kWeightStep + piece,
                                p.weight + (present ? at : 0), present);
  }
}

template <class T, class Item>
__device__ void stage_items(const TapsProblem& p, int group, const Reach& reach, const Range& range,
                            const TapsShared<T>& shared, float* stage, int channel, int out) {
  if (p.wide_source) {
    source_items<T, Item, 4>(p, group, reach.single(), range, shared.bases, stage, channel);
  } else {
    source_items<T, Item, 1>(p, group, reach.single(), range, shared.bases, stage, channel);
  }
  if (p.wide_weight) {
    weight_items<T, Item, 4>(p, group, reach, stage + shared.weights, channel, out);
  } else {
    weight_items<T, Item, 1>(p, group, reach, stage + shared.weights, channel, out);
  }
}

// sums[i][j] of products 16 pixels x 8 channels; [2 r + b] of lane 4 g + t is pixel g + 8 r and, j = 2 J + e, channel
// 16 J + 4 t + 2 b + e.
template <class T>
using TapSums = float[T::kMTiles][T::kNTiles][4];

// sums += one tap on the tensor cores. rows: this lane's source pixels, g and g + 8 of every product; weights: the
// tap's, from the warp's first channel on.
template <class T>
__device__ void multiply_tap_tf32(TapSums<T>& sums, const float* const (&rows)[2 * T::kMTiles], const float* weights) {
  const int g = static_cast<int>(threadIdx.x) % kWarp / 4, t = static_cast<int>(threadIdx.x) % 4;
  float a[T::kMTiles][4];
#pragma unroll
  for (int i = 0; i < T::kMTiles; i++) {
    const float2 upper = *reinterpret_cast<const float2*>(rows[2 * i] + 2 * t);
    const float2 lower = *reinterpret_cast<const float2*>(rows[2 * i + 1] + 2 * t);
    a[i][0] = upper.x;
    a[i][1] = lower.x;
    a[i][2] = upper.y;
    a[i][3] = lower.y;
  }
#pragma unroll
  for (int j = 0; j < T::kNTiles; j += 2) {
    float b[2][2];
    if constexpr (T::kAdjoint) {
      const float2 first = *reinterpret_cast<const float2*>(weights + 2 * t * T::kWeightStep + 8 * j + 2 * g);
      const float2 second = *reinterpret_cast<const float2*>(weights + (2 * t + 1) * T::kWeightStep + 8 * j + 2 * g);
      b[0][0] = first.x;
      b[0][1] = second.x;
      b[1][0] = first.y;
      b[1][1] = second.y;
    } else {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const float2 terms = *reinterpret_cast<const float2*>(weights + (8 * (j + e) + g) * T::kWeightStep + 2 * t);
        b[e][0] = terms.x;
        b[e][1] = terms.y;
      }
    }
#pragma unroll
    for (int i = 0; i < T::kMTiles; i++) {
      mma_tf32(sums[i][j], a[i], b[0]);
      mma_tf32(sums[i][j + 1], a[i], b[1]);
    }
  }
}

// The same in float32.
template <class T>
__device__ void multiply_tap_fp32(TapSums<T>& sums, const float* const (&rows)[2 * T::kMTiles], const float* weights) {
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll 1
  for (int k = 0; k < kTerms; k += 4) {
    float a[2 * T::kMTiles][4];
#pragma unroll
    for (int i = 0; i < 2 * T::kMTiles; i++) {
      const float4 terms = *reinterpret_cast<const float4*>(rows[i] + k);
      a[i][0] = terms.x;
      a[i][1] = terms.y;
      a[i][2] = terms.z;
      a[i][3] = terms.w;
    }
#pragma unroll
    for (int j = 0; j < T::kNTiles; j += 2) {
#pragma unroll
      for (int l = 0; l < 4; l++) {
        // Adjoint: term k + l of four channels; forward: four terms of channel l.
        const float* at = T::kAdjoint ? weights + (k + l) * T::kWeightStep + 8 * j + 4 * t
                                      : weights + (8 * j + 4 * l + t) * T::kWeightStep + k;
        const float4 four = *reinterpret_cast<const float4*>(at);
        const float b[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
        for (int i = 0; i < 2 * T::kMTiles; i++) {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            const int channel = T::kAdjoint ? e : l, term = T::kAdjoint ? l : e;
            float& sum = sums[i / 2][j + channel % 2][i % 2 * 2 + channel / 2];
            sum = fmaf(a[i][term], b[e], sum);
          }
        }
      }
    }
  }
}

// Calls visit(four sums, channel of the group, their place in the result) for what this thread has of the result.
template <class T, class Visit>
__device__ void visit_sums(const TapsProblem& p, int group, TapSums<T>& sums, const int* targets, int out,
                           const Visit& visit) {
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int i = 0; i < 2 * T::kMTiles; i++) {
    const int target = targets[8 * i];
    if (target < 0) continue;
#pragma unroll
    for (int j = 0; j < T::kNTiles; j += 2) {
      const int channel = out + 8 * j + 4 * t;
      if (channel >= p.out_channels) continue;
      float* const four[4] = {&sums[i / 2][j][i % 2 * 2], &sums[i / 2][j + 1][i % 2 * 2],
                              &sums[i / 2][j][i % 2 * 2 + 1], &sums[i / 2][j + 1][i % 2 * 2 + 1]};
      visit(four, channel, p.out + int64_t{target} * p.out_step + group * p.out_channels + channel);
    }
  }
}

// What the sums begin with: the bias or what they are added to. Read first, all of it is on its way with the first
// stage; read last, every value would wait for the one before it to be written.
template <class T>
__device__ void begin_sums(const TapsProblem& p, int group, TapSums<T>& sums, const int* targets, int out) {
  if (p.bias == nullptr && !p.accumulate) return;
  visit_sums<T>(p, group, sums, targets, out, [&p, group](float* const(&four)[4], int channel, const float* place) {
    const float* from = p.accumulate ? place : p.bias + group * p.out_channels + channel;
    if (p.wide_out) {
      const float4 wide = *reinterpret_cast<const float4*>(from);
      *four[0] = wide.x;
      *four[1] = wide.y;
      *four[2] = wide.z;
      *four[3] = wide.w;
    } else {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        if (channel + e < p.out_channels) *four[e] = from[e];
      }
    }
  });
}

template <class T>
__device__ void write_sums(const TapsProblem& p, int group, TapSums<T>& sums, const int* targets, int out) {
  visit_sums<T>(p, group, sums, targets, out, [&p](float* const(&four)[4], int channel, float* place) {
    if (p.wide_out) {
      store4(place, make_float4(*four[0], *four[1], *four[2], *four[3]));
    } else {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        if (channel + e < p.out_channels) place[e] = *four[e];
      }
    }
  });
}

template <class T>
__global__ void __launch_bounds__(kTapThreads, T::kBlocks) taps_kernel(const TapsProblem p) {
  HAST_DYNAMIC_SHARED(float, dynamic);
  const TapsShared<T> shared(dynamic, p);
  // The last phase has the most taps, so its blocks start first.
  const int group = static_cast<int>(blockIdx.z) / p.phases;
  const int phase = (group + 1) * p.phases - 1 - static_cast<int>(blockIdx.z);
  const Reach& reach = p.reach[phase];
  const int first = static_cast<int>(blockIdx.x) * T::kPixels;
  const int first_out = static_cast<int>(blockIdx.y) * T::kChannels;
  // Pixels that no tap reaches: nothing to add.
  if (first >= reach.pixels || (reach.taps == 0 && p.accumulate)) return;

  const int thread = static_cast<int>(threadIdx.x);
  if (thread < T::kPixels) {
    const int m = first + thread;
    int base = 0, target = -1;
    unsigned present = 0;
    if (m < reach.pixels) {
      base = reach.base(m);
      present = reach.present(m);
      // The table's row of a pixel that the only tap does not have is never read, but it is copied.
      if (reach.single()) base = present != 0 ? base + reach.offset(0) : 0;
      const Division in(m, reach.image), at(in.remainder, reach.row);
      target = (in.quotient * p.out_h + at.quotient * p.spread_h + phase / p.spread_w) * p.out_w +
               at.remainder * p.spread_w + phase % p.spread_w;
    }
    shared.bases[thread] = base;
    shared.present[thread] = present;
    shared.targets[thread] = target;
  }
  if (thread < kTerms) shared.zeros[thread] = 0.0f;
  __syncthreads();

  const Range range(reach, first, min(first + T::kPixels, reach.pixels));
  const int warp = thread / kWarp;
  const int warp_pixel = warp / T::kChannelWarps * (16 * T::kMTiles) + thread % kWarp / 4;
  const int warp_out = warp % T::kChannelWarps * (8 * T::kNTiles);
  // Of this lane's pixels: where their rows lie without a tap's offset, and which taps they have.
  int rows[2 * T::kMTiles];
  unsigned present[2 * T::kMTiles];
#pragma unroll
  for (int i = 0; i < 2 * T::kMTiles; i++) {
    const int pixel = warp_pixel + 8 * i;
    rows[i] = (reach.single() ? pixel : shared.bases[pixel] - range.start) * p.pixel_floats;
    present[i] = shared.present[pixel];
  }

  TapSums<T> sums = {};
  const int channels = reach.taps == 0 ? 0 : p.source_channels;
  float* stage = shared.stages;
  if (channels > 0) stage_items<T, CopyItem>(p, group, reach, range, shared, stage, 0, first_out);
  const int* targets = shared.targets + warp_pixel;
  begin_sums<T>(p, group, sums, targets, first_out + warp_out);
  for (int channel = 0; channel < channels; channel += kTerms) {
    copies_wait();
    if constexpr (T::kTf32) stage_items<T, RoundItem>(p, group, reach, range, shared, stage, channel, first_out);
    __syncthreads();
    // Every thread is done with the other stage.
    float* const next = stage == shared.stages ? stage + shared.stage_floats : shared.stages;
    if (channel + kTerms < channels) {
      stage_items<T, CopyItem>(p, group, reach, range, shared, next, channel + kTerms, first_out);
    }
    const float* weights = stage + shared.weights + warp_out * (T::kAdjoint ? 1 : T::kWeightStep);
#pragma unroll(T::kTapsAtOnce)
    for (int tap = 0; tap < reach.taps; tap++, weights += T::kTapFloats) {
      const int offset = reach.single() ? 0 : reach.offset(tap) * p.pixel_floats;
      const float* from[2 * T::kMTiles];
#pragma unroll
      for (int i = 0; i < 2 * T::kMTiles; i++) {
        from[i] = (present[i] >> tap & 1) != 0 ? stage + (rows[i] + offset) : shared.zeros;
      }
      if constexpr (T::kTf32) {
        multiply_tap_tf32<T>(sums, from, weights);
      } else {
        multiply_tap_fp32<T>(sums, from, weights);
      }
    }
    stage = next;
  }
  write_sums<T>(p, group, sums, targets, first_out + warp_out);
}

// Launches one tile size if its blocks get the shared memory they need and, unless it is the last choice, occupy the
// device.
template <class T>
bool launch_tile(TapsProblem& p, const Stream& stream, bool last_choice, int32_t& status) {
  int64_t pixels = 0, blocks = 0, table_rows = 0;
  for (int i = 0; i < p.phases; i++) {
    const Reach& reach = p.reach[i];
    pixels = larger(pixels, reach.pixels);
    blocks += ceil_div(reach.pixels, T::kPixels) * ceil_div(p.out_channels, T::kChannels) * p.groups;
    if (reach.pixels > 0) table_rows = larger(table_rows, reach.table_rows(T::kPixels));
  }
  // Three blocks for every two multiprocessors keep most of them busy to the end.
  if (!last_choice && 2 * blocks < int64_t{3} * stream.processors) return false;
  p.table_rows = static_cast<int>(table_rows);
  const int64_t shared = TapsShared<T>::bytes(p);
  if (shared > stream.shared_bytes) return false;
  const dim3 grid(static_cast<unsigned>(ceil_div(pixels, T::kPixels)),
                  static_cast<unsigned>(ceil_div(p.out_channels, T::kChannels)),
                  static_cast<unsigned>(p.phases * p.groups));
  status = launch(taps_kernel<T>, grid, kTapThreads, static_cast<size_t>(shared), stream, p);
  return true;
}

// The largest tile that still makes enough blocks (it reads the fewest values per product), or whose stages fit.
template <bool kAdjoint, bool kTf32>
bool launch_taps(TapsProblem& p, const Stream& stream, int32_t& status) {
  using P128C64 = TapsTile<kAdjoint, kTf32, 4, 2, 8>;
  using P64C64 = TapsTile<kAdjoint, kTf32, 2, 2, 4>;
  using P128C32 = TapsTile<kAdjoint, kTf32, 4, 2, 4>;
  using P64C32 = TapsTile<kAdjoint, kTf32, 4, 1, 4>;
  using P32C32 = TapsTile<kAdjoint, kTf32, 2, 1, 2>;
  using P128C16 = TapsTile<kAdjoint, kTf32, 4, 2, 2>;
  if (p.out_channels <= 16) {
    return launch_tile<P128C16>(p, stream, true, status) || launch_tile<P32C32>(p, stream, true, status);
  }
  if (p.out_channels > 32) {
    if (launch_tile<P128C64>(p, stream, false, status)) return true;
    if (launch_tile<P64C64>(p, stream, false, status)) return true;
  } else if (launch_tile<P128C32>(p, stream, false, status)) {
    return true;
  }
  if (launch_tile<P64C32>(p, stream, false, status)) return true;
  return launch_tile<P32C32>(p, stream, true, status);
}

// Fills in what follows from the rest and launches. False: the shape does not fit, nothing is launched.
template <bool kAdjoint>
bool convolve_taps(TapsProblem& p, const Conv& g, const Stream& stream, int32_t& status) {
  for (int i = 0; i < p.phases; i++) {
    if (!p.reach[i].usable()) return false;
  }
  p.out_h = static_cast<int>(kAdjoint ? g.h : g.p);
  p.out_w = static_cast<int>(kAdjoint ? g.w : g.q);
  p.groups = static_cast<int>(g.groups);
  p.source_step = static_cast<int>(kAdjoint ? g.k : g.c);
  p.out_step = static_cast<int>(kAdjoint ? g.c : g.k);
  p.source_channels = p.source_step / p.groups;
  p.out_channels = p.out_step / p.groups;
  p.filter = static_cast<int>(g.r * g.s);
  p.wide_source = p.source_channels % 4 == 0 && aligned16(p.source);
  p.wide_weight = g.group_c() % 4 == 0 && aligned16(p.weight);
  p.wide_out = p.out_channels % 4 == 0 && aligned16(p.out, p.bias);
  p.pixel_floats = p.reach[0].step_w == 1 || p.reach[0].single() ? kTerms : kTerms + 4;
  for (int i = 0; i < p.phases; i++) p.most_taps = max(p.most_taps, p.reach[i].taps);
  return stream.math == HAST_MATH_TF32 ? launch_taps<kAdjoint, true>(p, stream, status)
                                       : launch_taps<kAdjoint, false>(p, stream, status);
}

}  // namespace hast

#endif

// The sweep that the depthwise convolution and its adjoint have in common:
//
//   out[t] = (out[t] +) (bias +) sum_{u < rows, v < taps} in[u row_gap][column + t step + v gap] weight[u][v]
//
// for the pixels t of one row of the result. Forward, the row is that of y, step is the stride, the gaps are the
// dilations, and rows and taps those of the filter that lie inside. For the adjoint the columns of dx of one remainder
// modulo the stride meet the same taps at consecutive columns of dy: each remainder is such a row with step 1 and rows
// and taps reversed.
//
// A block owns a tile of channels, `lanes` packs of kWidth of them side by side, whose filters it transposes into
// shared memory once. Its 256 / lanes lines are neighbouring rows, so that what rows share is read from the first-level
// cache; a thread takes kColumns neighbouring pixels of its row and loads an input once for all that meet it. Blocks
// walk over (band of rows, remainder, group of columns) with the grid's step. Filters too large for shared memory are
// read from where they are.
#ifndef HAST_DEPTHWISE_SWEEP_CUH
#define HAST_DEPTHWISE_SWEEP_CUH

#include "depthwise.cuh"
#include "rows.cuh"

namespace hast {

constexpr int kColumns = 4;
// Blocks resident at least. Most kernels need no more than the 80 registers of 3, but some spill when held to them.
template <int kStride, bool kAdjoint>
constexpr unsigned kSweepBlocks = kStride == 1 && !kAdjoint ? 3 : 2;
constexpr int64_t kSweepShares = 6;  // blocks a processor has in turn: whole waves of 2 or 3
constexpr int64_t kSweepLanes = 32;
constexpr int64_t kLineFloats = 32;  // a cache line
constexpr int64_t kFilterBytes = 48 * 1024;

struct SweepJob {
  float* out;
  const float *in, *weight, *bias;
  Conv g;
  bool accumulate;
  // Set by launch_sweep.
  int64_t packs = 0;  // of channels
  int rows = 0;       // of the result, those of all images
  int phases = 0;     // remainders modulo the stride that columns have; 1 forward
  int groups = 0;     // of kColumns pixels of a row and phase
  int tiles = 0, pieces = 0;
  Divider by_units{1}, by_groups{1}, by_height{1};  // phases * groups; groups; rows of an image
  bool staged = false;                              // filters in shared memory
};

// What a row of the result meets, and where its filter begins.
struct Meeting {
  int in_row;  // the first of `rows` rows of `in`, row_gap apart
  int rows, row_gap, taps;
  int tap, tap_row_step, tap_step;
  int column, step, gap, width;  // of pixel 0 in `in`
  int out, out_step, count;      // pixels of the result
};

// Positions before `end` from a first one on, `gap` apart; not above 0 if there are none.
__device__ inline int positions(int end, int first, int gap) {
  return gap == 1 ? end - first : first < end ? (end - 1 - first) / gap + 1 : 0;
}

// kSize and kStride are those of a square filter that is not dilated, or 0 for any.
template <int kSize, int kStride, bool kAdjoint>
__device__ Meeting meeting(const SweepJob& job, int row, int phase) {
  const Conv& g = job.g;
  const int h = static_cast<int>(g.h), w = static_cast<int>(g.w), p = static_cast<int>(g.p), q = static_cast<int>(g.q);
  const int r = kSize > 0 ? kSize : static_cast<int>(g.r), s = kSize > 0 ? kSize : static_cast<int>(g.s);
  const int stride_h = kStride > 0 ? kStride : static_cast<int>(g.stride_h);
  const int stride_w = kStride > 0 ? kStride : static_cast<int>(g.stride_w);
  const int dilation_h = kSize > 0 ? 1 : static_cast<int>(g.dilation_h);
  const int dilation_w = kSize > 0 ? 1 : static_cast<int>(g.dilation_w);
  const int top = static_cast<int>(g.top), left = static_cast<int>(g.left);
  const Division place(row, job.by_height);
  const int image = place.quotient;
  Meeting m;
  if (kAdjoint) {
    // From the last tap on, which meets the first row or column.
    const Taps<int> down = Taps<int>::adjoint(place.remainder, stride_h, top, dilation_h, r);
    const Taps<int> across = Taps<int>::adjoint(phase, stride_w, left, dilation_w, s);
    m.row_gap = kSize > 0 ? 1 : -down.move;
    m.gap = kSize > 0 ? 1 : -across.move;
    const int first = down.at - (down.count - 1) * m.row_gap;
    const int above = max(0, (m.row_gap - 1 - first) / m.row_gap);
    m.rows = min(down.count, positions(p, first, m.row_gap)) - above;
    m.taps = across.count;
    m.in_row = image * p + first + above * m.row_gap;
    m.tap = (down.first + (down.count - 1 - above) * down.step) * s + across.first + (m.taps - 1) * across.step;
    m.tap_row_step = -down.step * s;
    m.tap_step = -across.step;
    m.column = across.at - (m.taps - 1) * m.gap;
    m.step = 1;
    m.width = q;
    m.out = row * w + phase;
    m.out_step = stride_w;
    m.count = (w - phase - 1) / stride_w + 1;
  } else {
    const int first = place.remainder * stride_h - top;
    const int above = max(0, (dilation_h - 1 - first) / dilation_h);
    m.row_gap = dilation_h;
    m.gap = dilation_w;
    m.taps = s;
    m.in_row = image * h + first + above * dilation_h;
    m.rows = min(r, positions(h, first, dilation_h)) - above;
    m.tap = above * s;
    m.tap_row_step = s;
    m.tap_step = 1;
    m.column = -left;
    m.step = stride_w;
    m.width = w;
    m.out = row * q;
    m.out_step = 1;
    m.count = q;
  }
  return m;
}

// Adds the products of one row of `in`. kTaps and kStep are those of the meeting (kTaps the most of any phase), or 0
// for any. Columns outside are left out, not multiplied.
template <int kWidth, int kTaps, int kStep, class Filter>
__device__ void add_row(Floats<kWidth> (&sum)[kColumns], const Meeting& m, const Floats<kWidth>* row, int64_t packs,
                        int column, int tap, Filter filter) {
  using Value = Floats<kWidth>;
  if constexpr (kTaps > 0) {
    constexpr int kInputs = (kColumns - 1) * kStep + kTaps;
    Value weight[kTaps], x[kInputs];
#pragma unroll
    for (int v = 0; v < kTaps; v++) weight[v] = v < m.taps ? filter(tap + v * m.tap_step) : Value{};
#pragma unroll
    for (int i = 0; i < kInputs; i++) {
      x[i] = Value{};
      if (column + i >= 0 && column + i < m.width) x[i] = row[int64_t{column + i} * packs];
    }
#pragma unroll
    for (int i = 0; i < kInputs; i++) {
      if (column + i < 0 || column + i >= m.width) continue;
#pragma unroll
      for (int v = 0; v < kTaps; v++) {
        if (i < v || (i - v) % kStep != 0 || (i - v) / kStep >= kColumns || v >= m.taps) continue;
#pragma unroll
        for (int k = 0; k < kWidth; k++) sum[(i - v) / kStep].at[k] += x[i].at[k] * weight[v].at[k];
      }
    }
  } else {
    for (int v = 0; v < m.taps; v++) {
      const Value weight = filter(tap + v * m.tap_step);
#pragma unroll
      for (int t = 0; t < kColumns; t++) {
        const int at = column + t * m.step + v * m.gap;
        if (at < 0 || at >= m.width) continue;
        const Value x = row[int64_t{at} * packs];
#pragma unroll
        for (int k = 0; k < kWidth; k++) sum[t].at[k] += x.at[k] * weight.at[k];
      }
    }
  }
}

template <int kWidth, int kSize, int kStride, bool kAdjoint>
__global__ void __launch_bounds__(kThreads, (kSweepBlocks<kStride, kAdjoint>)) sweep(const SweepJob job) {
  using Value = Floats<kWidth>;
  constexpr int kTaps = kSize > 0 && kAdjoint ? (kSize - 1) / kStride + 1 : kSize;
  constexpr int kStep = kAdjoint ? 1 : kStride;
  HAST_DYNAMIC_SHARED(Value, filters);  // [r s][lanes]
  const Conv& g = job.g;
  const int taps = static_cast<int>(g.r * g.s);
  const int lanes = static_cast<int>(blockDim.x), lines = static_cast<int>(blockDim.y);
  const int lane = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
  const int piece = static_cast<int>(blockIdx.x) / job.tiles;
  const int64_t pack = int64_t{static_cast<int>(blockIdx.x) - piece * job.tiles} * lanes + lane;
  const bool inside = pack < job.packs;
  const float* weight = job.weight + pack * kWidth * taps;
  const auto read = [=](int tap) {
    Value value;
#pragma unroll
    for (int k = 0; k < kWidth; k++) value.at[k] = weight[int64_t{k} * taps + tap];
    return value;
  };
  if (inside && job.staged) {
    for (int tap = line; tap < taps; tap += lines) filters[tap * lanes + lane] = read(tap);
  }
  __syncthreads();
  if (!inside) return;
  const bool staged = kTaps > 0 || job.staged;
  const auto filter = [&](int tap) { return staged ? filters[tap * lanes + lane] : read(tap); };

  const int units = job.phases * job.groups;
  const int items = static_cast<int>(ceil_div(job.rows, lines)) * units;
  for (int item = piece; item < items; item += job.pieces) {
    const Division band(item, job.by_units), unit(band.remainder, job.by_groups);
    const int phase = kAdjoint ? unit.quotient : 0;
    const int first = unit.remainder * kColumns;
    const int out_row = band.quotient * lines + line;
    if (out_row >= job.rows) continue;
    const Meeting m = meeting<kSize, kStride, kAdjoint>(job, out_row, phase);
    Value sum[kColumns] = {};
    if (!kAdjoint && job.bias != nullptr) {
#pragma unroll
      for (int k = 0; k < kWidth; k++) {
        const float bias = job.bias[pack * kWidth + k];
#pragma unroll
        for (int t = 0; t < kColumns; t++) sum[t].at[k] = bias;
      }
    }
    const Value* row = packs<kWidth>(job.in) + int64_t{m.in_row} * m.width * job.packs + pack;
    const int column = m.column + first * m.step;
    int tap = m.tap;
    for (int u = 0; u < m.rows; u++, row += int64_t{m.row_gap} * m.width * job.packs, tap += m.tap_row_step) {
      add_row<kWidth, kTaps, kStep>(sum, m, row, job.packs, column, tap, filter);
    }
    Value* out = packs<kWidth>(job.out) + int64_t{m.out + first * m.out_step} * job.packs + pack;
#pragma unroll
    for (int t = 0; t < kColumns; t++) {
      if (first + t >= m.count) continue;
      Value& to = out[int64_t{t * m.out_step} * job.packs];
      if (job.accumulate) {
#pragma unroll
        for (int k = 0; k < kWidth; k++) sum[t].at[k] += to.at[k];
      }
      to = sum[t];
    }
  }
}

template <int kWidth, int kSize, int kStride, bool kAdjoint>
int32_t launch_sweep(SweepJob job, const Stream& stream) {
  const Conv& g = job.g;
  job.packs = g.c / kWidth;
  int64_t lanes = 1;
  while (lanes * kWidth < kLineFloats && lanes < job.packs) lanes *= 2;
  // Beyond a line of channels only while no lane idles.
  while (lanes < kSweepLanes && job.packs % (2 * lanes) == 0) lanes *= 2;
  const int64_t lines = kThreads / lanes;
  job.rows = static_cast<int>(g.n * (kAdjoint ? g.h : g.p));
  job.phases = kAdjoint ? static_cast<int>(smaller(g.stride_w, g.w)) : 1;
  job.groups = static_cast<int>(ceil_div(kAdjoint ? ceil_div(g.w, g.stride_w) : g.q, kColumns));
  job.by_units = Divider(int64_t{job.phases} * job.groups);
  job.by_groups = Divider(job.groups);
  job.by_height = Divider(kAdjoint ? g.h : g.p);
  job.tiles = static_cast<int>(ceil_div(job.packs, lanes));
  const int64_t items = ceil_div(job.rows, lines) * job.phases * job.groups;
  job.pieces = static_cast<int>(smaller(items, larger(1, kSweepShares * stream.processors / job.tiles)));
  const int64_t bytes = g.r * g.s * lanes * static_cast<int64_t>(sizeof(Floats<kWidth>));
  job.staged = bytes <= kFilterBytes;
  const dim3 grid(static_cast<unsigned>(job.tiles * job.pieces));
  return launch(sweep<kWidth, kSize, kStride, kAdjoint>, grid,
                dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(lines)),
                job.staged ? static_cast<size_t>(bytes) : 0, stream, job);
}

template <int kWidth, bool kAdjoint>
int32_t launch_filter(const SweepJob& job, const Stream& stream) {
  if (three(job.g, 1)) return launch_sweep<kWidth, 3, 1, kAdjoint>(job, stream);
  if (three(job.g, 2)) return launch_sweep<kWidth, 3, 2, kAdjoint>(job, stream);
  return launch_sweep<kWidth, 0, 0, kAdjoint>(job, stream);
}

// 4 channels of 16 bytes a thread where the sizes and the addresses allow, else 1.
template <bool kAdjoint>
int32_t launch_sweep(const SweepJob& job, const Stream& stream) {
  const bool wide = job.g.c % 4 == 0 && aligned16(job.out, job.in);
  return wide ? launch_filter<4, kAdjoint>(job, stream) : launch_filter<1, kAdjoint>(job, stream);
}

}  // namespace hast

#endif

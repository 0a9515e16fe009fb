// Fake quantisation and its gradient (quantize.h has the formulas, quantizer.h their operations) and the minimum and
// maximum of a tensor.
//
// Shapes [n], and [rows, cols] with one range per row. Every operation is rounded on its own, half to even; NaN stays
// NaN, and a NaN among the values of a range makes the range NaN. Minimum and maximum do not depend on the order, so
// neither do results. 16 bytes a thread where addresses and rows allow it.
//   fake_quant: 8 bytes per element, its gradient 12.
//   fake_quant_channel: a block per row, as many warps as the row has work for; 8 bytes per element, a row being read
//     again from the cache once its range is known.
//   min_max: a range per block in the workspace, combined by the last block; 4 bytes per element.
#include <hast/quantize.h>

#include "kernel.cuh"
#include "portable/arguments/quantize.h"
#include "portable/quantizer.h"

using namespace hast;

namespace {

struct Range {
  float min, max;
};

// A NaN on either side wins.
__device__ float keep_min(float a, float b) { return b < a || b != b ? b : a; }
__device__ float keep_max(float a, float b) { return b > a || b != b ? b : a; }
__device__ Range keep(Range a, Range b) { return {keep_min(a.min, b.min), keep_max(a.max, b.max)}; }
__device__ Range keep(Range a, float x) { return {keep_min(a.min, x), keep_max(a.max, x)}; }
__device__ Range keep(Range a, float4 x) { return keep(keep(keep(keep(a, x.x), x.y), x.z), x.w); }

// The range of a block of whole warps, in every thread. Between two calls the block has to meet at a barrier.
__device__ Range block_range(Range range) {
  __shared__ Range warps[kWarp];
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const Range other{__shfl_xor_sync(kFullWarp, range.min, bits), __shfl_xor_sync(kFullWarp, range.max, bits)};
    range = keep(range, other);
  }
  if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = range;
  __syncthreads();
  range = warps[0];
  for (unsigned i = 1; i < blockDim.x / kWarp; i++) range = keep(range, warps[i]);
  return range;
}

__device__ float4 fake_quant4(const Quantizer& q, float4 x) {
  return make_float4(fake_quant(q, x.x), fake_quant(q, x.y), fake_quant(q, x.z), fake_quant(q, x.w));
}

// y may be x: an element is read before it is written, by the same thread.
__global__ void quantize(float* y, const float* x, const float* range, int64_t n, int64_t quads, int32_t bits) {
  const Quantizer q = quantizer(range[0], range[1], bits);
  for (int64_t i = first_item(); i < quads; i += item_step()) {
    reinterpret_cast<float4*>(y)[i] = fake_quant4(q, reinterpret_cast<const float4*>(x)[i]);
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) y[i] = fake_quant(q, x[i]);
}

// dx may be dy or x, as y above.
__global__ void pass(float* dx, const float* dy, const float* x, const float* range, int64_t n, int64_t quads,
                     int32_t bits) {
  const Quantizer q = quantizer(range[0], range[1], bits);
  const Passing levels = passing(q, true);
  for (int64_t i = first_item(); i < quads; i += item_step()) {
    const float4 g = reinterpret_cast<const float4*>(dy)[i], v = reinterpret_cast<const float4*>(x)[i];
    reinterpret_cast<float4*>(dx)[i] =
        make_float4(levels(q.level(v.x)) ? g.x : 0.0f, levels(q.level(v.y)) ? g.y : 0.0f,
                    levels(q.level(v.z)) ? g.z : 0.0f, levels(q.level(v.w)) ? g.w : 0.0f);
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) dx[i] = levels(q.level(x[i])) ? dy[i] : 0.0f;
}

// Value is float4 if rows may be accessed so; cols counts Values.
template <class Value>
__global__ void quantize_rows(float* y, const float* x, int64_t cols, int32_t bits) {
  const Value* from = reinterpret_cast<const Value*>(x) + blockIdx.x * cols;
  Value* to = reinterpret_cast<Value*>(y) + blockIdx.x * cols;
  const float first = *reinterpret_cast<const float*>(from);
  Range range{first, first};
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) range = keep(range, from[i]);
  range = block_range(range);
  const Quantizer q = quantizer(range.min, range.max, bits);
  for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    if constexpr (sizeof(Value) == sizeof(float4)) {
      to[i] = fake_quant4(q, from[i]);
    } else {
      to[i] = fake_quant(q, from[i]);
    }
  }
}

constexpr int64_t kRangeBlocks = 4 * 132;
constexpr int64_t kRangeElements = 16 * int64_t{kThreads};  // that make a block worth its while

int64_t range_blocks(int64_t n) { return smaller(kRangeBlocks, ceil_div(n, kRangeElements)); }

__global__ void min_max(float* result, Range* ranges, const float* x, int64_t n, int64_t quads, unsigned* ticket) {
  Range range{x[0], x[0]};
#pragma unroll 4
  for (int64_t i = first_item(); i < quads; i += item_step()) {
    range = keep(range, reinterpret_cast<const float4*>(x)[i]);
  }
  for (int64_t i = 4 * quads + first_item(); i < n; i += item_step()) range = keep(range, x[i]);
  range = block_range(range);
  if (threadIdx.x == 0) ranges[blockIdx.x] = range;
  if (!last_block(ticket, gridDim.x)) return;

  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) range = keep(range, ranges[i]);
  range = block_range(range);
  if (threadIdx.x == 0) {
    result[0] = range.min;
    result[1] = range.max;
  }
}

}  // namespace

int32_t hast_fake_quant_fwd_f32(float* y, const float* x, const float* range, int64_t n, int32_t bits,
                                void* stream) noexcept {
  if (!valid::fake_quant_fwd(y, x, range, n, bits, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, y, x);
  return launch(quantize, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, y, x, range, n, quads, bits);
}

int32_t hast_fake_quant_bwd_f32(float* dx, const float* dy, const float* x, const float* range, int64_t n, int32_t bits,
                                void* stream) noexcept {
  if (!valid::fake_quant_bwd(dx, dy, x, range, n, bits, stream)) return HAST_EARGUMENT;
  const Stream& s = stream_of(stream);
  const int64_t quads = quads_of(n, dx, dy, x);
  return launch(pass, blocks_for(larger(quads, n - 4 * quads), s), kThreads, 0, s, dx, dy, x, range, n, quads, bits);
}

int32_t hast_fake_quant_channel_fwd_f32(float* y, const float* x, int64_t rows, int64_t cols, int32_t bits,
                                        void* stream) noexcept {
  if (!valid::fake_quant_channel(y, x, rows, cols, bits, stream)) return HAST_EARGUMENT;
  const bool wide = cols % 4 == 0 && aligned16(y, x);
  const int64_t values = wide ? cols / 4 : cols;
  const unsigned threads = static_cast<unsigned>(smaller(kThreads, ceil_div(values, kWarp) * kWarp));
  return launch(wide ? quantize_rows<float4> : quantize_rows<float>, dim3(static_cast<unsigned>(rows)), threads, 0,
                stream_of(stream), y, x, values, bits);
}

int64_t hast_min_max_workspace_bytes(int64_t n) noexcept {
  if (n < 1) return 0;
  return range_blocks(n) * static_cast<int64_t>(sizeof(Range));
}

int32_t hast_min_max_fwd_f32(float* range, const float* x, void* workspace, int64_t workspace_bytes, int64_t n,
                             void* stream) noexcept {
  if (!valid::min_max(range, x, n, stream)) return HAST_EARGUMENT;
  if (lacks(workspace, workspace_bytes, hast_min_max_workspace_bytes(n))) return HAST_EWORKSPACE;
  const Stream& s = stream_of(stream);
  return launch(min_max, dim3(static_cast<unsigned>(range_blocks(n))), kThreads, 0, s, range,
                static_cast<Range*>(workspace), x, n, quads_of(n, x), &s.tickets[0]);
}

// Weight gradient of the depthwise convolution:
//   dweight[c,u,v] = sum_{n,i,j} dy[n,i,j,c] x[n,a,b,c]
//   with a = i stride_h + u dilation_h - top, b = j stride_w + v dilation_w - left
//
// dy [n,p,q,c], x [n,h,w,c], dweight [c,r,s,1]. Products in float32. 4 bytes read per element of dy and of x; what
// neighbouring pixels share of x comes from the first-level cache.
//
// panel.cuh has the division of work and the order of sums: its rows are the output pixels here. A thread keeps the
// sums of kRows x kTaps taps of its channels in registers; float32 within a block, double over its threads where blocks
// are added. Deterministic; one launch. 3 x 3 with stride 1 or 2 and no dilation keeps all nine taps; any other filter
// goes over its pixels for one tap after another.
#include "depthwise.cuh"
#include "panel.cuh"

using namespace hast;

namespace {

struct Gradient {
  float *dweight, *partial;  // partial [pieces, r s, c]
  const float *dy, *x;
  unsigned* tickets;
  Conv g;
  Divider p, q;
  Split split;
};

// Adds the products of one output pixel with taps (u.., v..). kStep is the stride, taps being neighbours, or 0 for any
// window and a single tap.
template <int kWidth, int kRows, int kTaps, int kStep>
__device__ void add_pixel(Pack<float, kWidth> (&sum)[kRows][kTaps], const Gradient& job, int pixel, int channel, int u,
                          int v) {
  using Floats = Pack<float, kWidth>;
  const Conv& g = job.g;
  const int h = static_cast<int>(g.h), w = static_cast<int>(g.w);
  static_assert(kStep > 0 || (kRows == 1 && kTaps == 1));
  const int stride_h = kStep > 0 ? kStep : static_cast<int>(g.stride_h);
  const int stride_w = kStep > 0 ? kStep : static_cast<int>(g.stride_w);
  const int dilation_h = kStep > 0 ? 1 : static_cast<int>(g.dilation_h);
  const int dilation_w = kStep > 0 ? 1 : static_cast<int>(g.dilation_w);
  const Division column(pixel, job.q), image(column.quotient, job.p);
  const int top = image.remainder * stride_h + u * dilation_h - static_cast<int>(g.top);
  const int left = column.remainder * stride_w + v * dilation_w - static_cast<int>(g.left);
  const Floats dy = load<kWidth>(job.dy + pixel * g.c + channel);
  const float* row = job.x + int64_t{(image.quotient * h + top) * w + left} * g.c + channel;
#pragma unroll
  for (int d = 0; d < kRows; d++, row += int64_t{w} * g.c) {
    if (top + d < 0 || top + d >= h) continue;
    Floats x[kTaps];
#pragma unroll
    for (int t = 0; t < kTaps; t++) {
      x[t] = Floats{};
      if (left + t >= 0 && left + t < w) x[t] = load<kWidth>(row + t * g.c);
    }
#pragma unroll
    for (int t = 0; t < kTaps; t++) {
      if (left + t < 0 || left + t >= w) continue;  // left out, not multiplied
#pragma unroll
      for (int e = 0; e < kWidth; e++) sum[d][t][e] += dy[e] * x[t][e];
    }
  }
}

template <int kWidth, int kRows, int kTaps, int kStep>
__global__ void __launch_bounds__(kThreads, kBlocksAProcessor) weight_gradient(const Gradient job) {
  using Floats = Pack<float, kWidth>;
  const Conv& g = job.g;
  const Split& s = job.split;
  const Place at = place<kWidth>(s);
  const Part p = part(s, at.piece);
  const int first = static_cast<int>(p.first_row);
  const int last = at.inside ? first + p.rows : 0;
  // Known to the compiler where all taps are kept.
  const int rows = kStep > 0 ? kRows : static_cast<int>(g.r), columns = kStep > 0 ? kTaps : static_cast<int>(g.s);
  const int taps = rows * columns;
  for (int u = 0; u < rows; u += kRows) {
    for (int v = 0; v < columns; v += kTaps) {
      Floats sum[kRows][kTaps] = {};
#pragma unroll 1
      for (int pixel = first + at.line; pixel < last; pixel += s.lines) {
        add_pixel<kWidth, kRows, kTaps, kStep>(sum, job, pixel, static_cast<int>(at.channel), u, v);
      }
#pragma unroll
      for (int d = 0; d < kRows; d++) {
#pragma unroll
        for (int t = 0; t < kTaps; t++) {
          const Floats total = sum_lines(sum[d][t], s.lanes);
          const int tap = (u + d) * columns + v + t;
          float* to = job.partial + (int64_t{at.piece} * taps + tap) * g.c + at.channel;
          if (at.inside && at.line == 0) store(to, total);
        }
      }
    }
  }
  if (!last_block(job.tickets + at.tile, static_cast<unsigned>(s.pieces))) return;
  for (int tap = 0; tap < taps; tap++) {
    const Pack<double, kWidth> total = sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) {
      return load<kWidth>(job.partial + (int64_t{piece} * taps + tap) * g.c + at.channel);
    });
    if (!at.inside || at.line != 0) continue;
    const Floats value = rounded(total);
#pragma unroll
    for (int e = 0; e < kWidth; e++) job.dweight[(at.channel + e) * taps + tap] = value[e];
  }
}

template <int kWidth>
int32_t gradient(const Gradient& job, const Stream& stream) {
  if (three(job.g, 1)) return launch_tiles(weight_gradient<kWidth, 3, 3, 1>, job, stream);
  if (three(job.g, 2)) return launch_tiles(weight_gradient<kWidth, 3, 3, 2>, job, stream);
  return launch_tiles(weight_gradient<kWidth, 1, 1, 0>, job, stream);
}

}  // namespace

namespace hast {

int64_t depthwise_bwd_weight_bytes(const Conv& g) {
  return most_pieces(g.pixels_out(), g.c) * g.r * g.s * g.c * static_cast<int64_t>(sizeof(float));
}

}  // namespace hast

int32_t hast_depthwise_bwd_weight_f32(float* dweight, const float* dy, const float* x, void* workspace,
                                      int64_t workspace_bytes, int64_t n, int64_t h, int64_t w, int64_t c, int64_t r,
                                      int64_t s, const int32_t* window, void* stream) noexcept {
  const Conv g(depthwise_convolution(n, h, w, c, r, s, window));
  if (!valid::convolution(dweight, dy, x, g, stream)) return HAST_EARGUMENT;
  if (!g.countable(kMostPixels)) return HAST_EUNSUPPORTED;
  if (lacks(workspace, workspace_bytes, depthwise_bwd_weight_bytes(g))) return HAST_EWORKSPACE;
  const Stream& to = stream_of(stream);
  const bool wide = c % 4 == 0 && aligned16(dy, x, workspace);
  const Gradient job{dweight,
                     static_cast<float*>(workspace),
                     dy,
                     x,
                     to.tickets,
                     g,
                     Divider(g.p),
                     Divider(g.q),
                     split(1, g.pixels_out(), c, wide ? 4 : 1, to)};
  return wide ? gradient<4>(job, to) : gradient<1>(job, to);
}

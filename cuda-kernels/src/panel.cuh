// How the norm kernels divide [n, hw, c], c innermost, any c, among blocks and threads, and what they reduce over rows.
//
// The channels are cut into tiles of kTileChannels, the rows into pieces; a block works on one piece of one tile. Its
// threads own a vector of kWidth channels each, a power of two of them side by side (`lanes`), and the 256 / lanes
// `lines` of the block take rows in turn, kRows of them loaded before the first is used. Where something is kept per
// image (attention), a piece is whole images or a segment of one; elsewhere the images are one long matrix.
//
// Per-channel sums go from registers through shuffles and shared memory to one float32 a block in the workspace; the
// block of a tile that finishes last adds them, a few in float32 in each thread, those in double over threads. Every
// order is fixed by the sizes and the number of multiprocessors.
#ifndef HAST_PANEL_CUH
#define HAST_PANEL_CUH

#include <type_traits>

#include "kernel.cuh"

namespace hast {

constexpr int kTileChannels = 32;      // 128 bytes of a row: whole cache lines
constexpr int64_t kLeastRows = 2;      // rows of a thread before another block is worth its sums
constexpr int kBlocksAProcessor = 3;   // resident: leaves a thread 80 registers
constexpr int64_t kMostBlocks = 1024;  // bounds the workspace for any device
constexpr int kWarps = kThreads / kWarp;
constexpr size_t kSumBytes = kWarps * kTileChannels * sizeof(double);  // dynamic shared memory of sum_lines
constexpr int64_t kLaunchTiles = 1024;                                 // tiles of one launch: each needs a ticket

template <int kWidth, class T>
__device__ Pack<T, kWidth> load(const T* from) {
  return *reinterpret_cast<const Pack<T, kWidth>*>(from);
}
template <int kWidth, class T>
__device__ void store(T* to, const Pack<T, kWidth>& value) {
  if constexpr (std::is_same_v<T, float> && kWidth == 4) {
    store4(to, make_float4(value[0], value[1], value[2], value[3]));
  } else {
    *reinterpret_cast<Pack<T, kWidth>*>(to) = value;
  }
}

template <int kWidth>
__device__ Pack<float, kWidth> rounded(const Pack<double, kWidth>& value) {
  Pack<float, kWidth> result;
#pragma unroll
  for (int k = 0; k < kWidth; k++) result[k] = static_cast<float>(value[k]);
  return result;
}

// A per-channel parameter that may be left out.
template <int kWidth>
__device__ Pack<float, kWidth> load_or(const float* from, int64_t channel, float otherwise) {
  if (from != nullptr) return load<kWidth>(from + channel);
  Pack<float, kWidth> value;
#pragma unroll
  for (int k = 0; k < kWidth; k++) value[k] = otherwise;
  return value;
}

struct Split {
  int64_t n, hw, c;
  int64_t images;        // whole images of a piece, or 1 when images are cut
  int64_t segment_rows;  // rows of each segment of an image but the last
  int64_t first_tile;    // of this launch
  int segments;          // pieces of an image
  int pieces, tiles, lanes, lines;
};

inline int64_t tiles_of(int64_t c) { return ceil_div(c, kTileChannels); }

// A bound on Split::pieces that needs no device.
inline int64_t most_pieces(int64_t rows, int64_t c) { return smaller(rows, larger(1, kMostBlocks / tiles_of(c))); }

// Cuts [n, hw, c] for threads that own `width` channels; n = 1 for rows that belong to no image.
inline Split split(int64_t n, int64_t hw, int64_t c, int width, const Stream& stream) {
  Split s{};
  s.n = n;
  s.hw = hw;
  s.c = c;
  s.lanes = 1;
  while (s.lanes * width < smaller(c, kTileChannels)) s.lanes *= 2;
  s.lines = static_cast<int>(kThreads) / s.lanes;
  const int64_t blocks = smaller(kMostBlocks, kBlocksAProcessor * stream.processors);
  const int64_t most = larger(1, blocks / tiles_of(c));
  // Segments have to be put together again: cut images only where they are too few for the processors.
  const bool cut = n == 1 || n * kBlocksAProcessor <= most;
  s.images = cut ? 1 : ceil_div(n, most);
  const int64_t segments = cut ? smaller(most / n, ceil_div(hw, kLeastRows * s.lines)) : 1;
  s.segment_rows = ceil_div(ceil_div(hw, segments), s.lines) * s.lines;
  s.segments = static_cast<int>(ceil_div(hw, s.segment_rows));
  s.pieces = static_cast<int>(ceil_div(n, s.images)) * s.segments;
  return s;
}

// Launches a kernel on every tile of job.split; one launch but for channels by the ten thousands.
template <class Job>
int32_t launch_tiles(void (*kernel)(Job), Job job, const Stream& stream) {
  const int64_t tiles = tiles_of(job.split.c);
  for (int64_t first = 0; first < tiles; first += kLaunchTiles) {
    job.split.first_tile = first;
    job.split.tiles = static_cast<int>(smaller(kLaunchTiles, tiles - first));
    const dim3 grid(static_cast<unsigned>(job.split.tiles) * static_cast<unsigned>(job.split.pieces));
    const int32_t status = launch(kernel, grid, kThreads, kSumBytes, stream, job);
    if (status != HAST_OK) return status;
  }
  return HAST_OK;
}

// Where a thread works. Neighbouring blocks work on neighbouring tiles of the same rows.
struct Place {
  int64_t channel;  // the first of the thread's channels
  int piece, tile, line;
  bool inside;  // whether the channels exist; a thread without takes part in every barrier
};

template <int kWidth>
__device__ inline Place place(const Split& s) {
  Place at;
  at.piece = static_cast<int>(blockIdx.x) / s.tiles;
  at.tile = static_cast<int>(blockIdx.x) % s.tiles;
  const int lane = static_cast<int>(threadIdx.x) & (s.lanes - 1);
  at.line = static_cast<int>(threadIdx.x) / s.lanes;
  at.channel = (s.first_tile + at.tile) * kTileChannels + lane * kWidth;
  at.inside = at.channel < s.c;
  return at;
}

struct Part {
  int64_t first_image, last_image, first_row;  // rows of each of the images
  int rows;
};

__device__ inline Part part(const Split& s, int piece) {
  const int64_t group = piece / s.segments;
  const int64_t first_row = piece % s.segments * s.segment_rows;
  return {group * s.images, smaller(s.n, (group + 1) * s.images), first_row,
          static_cast<int>(smaller(s.segment_rows, s.hw - first_row))};
}

__device__ inline float part_count(const Split& s, int piece) {
  const Part p = part(s, piece);
  return static_cast<float>((p.last_image - p.first_image) * p.rows);
}

// The sum over the lines of the block, in every thread. A barrier.
template <int kWidth, class T>
__device__ Pack<T, kWidth> sum_lines(Pack<T, kWidth> value, int lanes) {
  // In parts of 16 bytes, those of the lanes side by side, so that they lie in different banks.
  constexpr int kPart = kWidth * sizeof(T) > 16 ? 16 / sizeof(T) : kWidth;
  struct Row {
    Pack<T, kPart> at[kWidth / kPart][kTileChannels / kWidth];
  };
  HAST_DYNAMIC_SHARED(Row, warps);  // [kWarps]
  for (int offset = lanes; offset < kWarp; offset *= 2) {
#pragma unroll
    for (int k = 0; k < kWidth; k++) value[k] += __shfl_xor_sync(kFullWarp, value[k], offset);
  }
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  __syncthreads();  // the last call's readers are done
  if (lane < lanes) {
#pragma unroll
    for (int first = 0; first < kWidth; first += kPart) {
      Pack<T, kPart> part;
#pragma unroll
      for (int k = 0; k < kPart; k++) part[k] = value[first + k];
      warps[threadIdx.x / kWarp].at[first / kPart][lane] = part;
    }
  }
  __syncthreads();
  Pack<T, kWidth> sum;
#pragma unroll 1  // a double for every warp would take the registers of the rows
  for (int warp = 0; warp < kWarps; warp++) {
#pragma unroll
    for (int first = 0; first < kWidth; first += kPart) {
      const Pack<T, kPart> part = warps[warp].at[first / kPart][lane & (lanes - 1)];
#pragma unroll
      for (int k = 0; k < kPart; k++) sum[first + k] = warp == 0 ? part[k] : sum[first + k] + part[k];
    }
  }
  return sum;
}

// The sum of term(piece) over the lines' shares of the pieces [first, last), in every thread, float32 in a thread and
// double over threads. A barrier.
template <int kWidth, class Term>
__device__ Pack<double, kWidth> sum_pieces(const Split& s, const Place& at, int first, int last, Term term) {
  Pack<float, kWidth> own{};
  if (at.inside) {
#pragma unroll 2
    for (int piece = first + at.line; piece < last; piece += s.lines) {
      const Pack<float, kWidth> next = term(piece);
#pragma unroll
      for (int k = 0; k < kWidth; k++) own[k] += next[k];
    }
  }
  Pack<double, kWidth> sum;
#pragma unroll
  for (int k = 0; k < kWidth; k++) sum[k] = static_cast<double>(own[k]);
  return sum_lines(sum, s.lanes);
}

// Rows of a thread: their number, mean and centred sum of squares, all relative to an origin that the blocks share. It
// is near the values, so that an offset they have in common costs no digits.
template <int kWidth>
struct Moments {
  float count;
  Pack<float, kWidth> mean, squares;
};

// Adds the first `rows` of x, in two passes over registers and by Chan's formula.
template <int kWidth, int kRows>
__device__ void add_rows(Moments<kWidth>& moments, const Pack<float, kWidth> (&x)[kRows], int rows) {
  const float fresh = static_cast<float>(rows);
  const float total = moments.count + fresh;
  const float share = fresh / total;
  const float cross = moments.count * share;
  const float inverse = 1.0f / fresh;
#pragma unroll
  for (int k = 0; k < kWidth; k++) {
    float sum = 0.0f;
#pragma unroll
    for (int r = 0; r < kRows; r++) sum += r < rows ? x[r][k] : 0.0f;
    const float mean = sum * inverse;
    float squares = 0.0f;
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      const float d = x[r][k] - mean;
      squares += r < rows ? d * d : 0.0f;
    }
    const float delta = mean - moments.mean[k];
    moments.mean[k] += delta * share;
    moments.squares[k] += squares + delta * delta * cross;
  }
  moments.count = total;
}

// mean and variance [c] of all rows from every thread's moments of x - origin. partial is [pieces, 2, c]. The block
// that comes last takes the mean first, then the squares around it.
template <int kWidth>
__device__ void finish_moments(float* mean, float* variance, float* partial, const Pack<float, kWidth>& origin,
                               const Moments<kWidth>& own, const Split& s, const Place& at, unsigned* tickets) {
  using Floats = Pack<float, kWidth>;
  using Doubles = Pack<double, kWidth>;
  const int64_t step = 2 * s.c;
  const float count = part_count(s, at.piece);
  Floats block_mean, block_squares;
#pragma unroll
  for (int k = 0; k < kWidth; k++) block_mean[k] = own.count * own.mean[k];
  block_mean = sum_lines(block_mean, s.lanes);
#pragma unroll
  for (int k = 0; k < kWidth; k++) {
    block_mean[k] /= count;
    const float d = own.mean[k] - block_mean[k];
    block_squares[k] = own.squares[k] + own.count * d * d;
  }
  block_squares = sum_lines(block_squares, s.lanes);
  partial += at.channel;
  if (at.inside && at.line == 0) {
    store(partial + at.piece * step, block_mean);
    store(partial + at.piece * step + s.c, block_squares);
  }
  if (!last_block(tickets + at.tile, static_cast<unsigned>(s.pieces))) return;

  const double rows = static_cast<double>(s.n) * static_cast<double>(s.hw);
  Doubles all_mean = sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) {
    Floats term = load<kWidth>(partial + piece * step);
    const float weight = part_count(s, piece);
#pragma unroll
    for (int k = 0; k < kWidth; k++) term[k] *= weight;
    return term;
  });
#pragma unroll
  for (int k = 0; k < kWidth; k++) all_mean[k] /= rows;
  const Floats center = rounded(all_mean);
  Doubles all_variance = sum_pieces<kWidth>(s, at, 0, s.pieces, [&](int piece) {
    const Floats piece_mean = load<kWidth>(partial + piece * step);
    Floats term = load<kWidth>(partial + piece * step + s.c);
    const float weight = part_count(s, piece);
#pragma unroll
    for (int k = 0; k < kWidth; k++) {
      const float d = piece_mean[k] - center[k];
      term[k] += weight * d * d;
    }
    return term;
  });
  if (!at.inside || at.line != 0) return;
#pragma unroll
  for (int k = 0; k < kWidth; k++) {
    all_mean[k] += static_cast<double>(origin[k]);
    all_variance[k] /= rows;
  }
  store(mean + at.channel, rounded(all_mean));
  store(variance + at.channel, rounded(all_variance));
}

}  // namespace hast

#endif

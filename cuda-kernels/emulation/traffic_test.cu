// Kernels whose traffic is known by hand: the counter must tell the same. Exits with the number of kernels counted
// wrongly, and names them.
#include <cstdio>

#include "kernel.cuh"
#include "mma.cuh"

using namespace hast;

extern "C" void hast_traffic_take(int64_t counts[4]);

namespace {

__global__ void copy_vectors(float4* to, const float4* from) { to[first_item()] = from[first_item()]; }

__global__ void every_other(float* to, const float* from) { to[first_item()] = from[2 * first_item()]; }

// The first column of rows `step` floats apart.
__global__ void column(float* to, int step) {
  HAST_DYNAMIC_SHARED(float, values);
  values[static_cast<int>(threadIdx.x) * step] = 1.0f;
  __syncthreads();
  to[threadIdx.x] = values[0];
}

// Rows of 16 floats.
__global__ void rows_of_vectors(int step) {
  HAST_DYNAMIC_SHARED(float, values);
  const int row = static_cast<int>(threadIdx.x) / 4, piece = static_cast<int>(threadIdx.x) % 4;
  *reinterpret_cast<float4*>(values + row * step + 4 * piece) = make_float4(1.0f, 2.0f, 3.0f, 4.0f);
}

__global__ void pairs(int step) {
  HAST_DYNAMIC_SHARED(float, values);
  *reinterpret_cast<float2*>(values + static_cast<int>(threadIdx.x) * step) = make_float2(1.0f, 2.0f);
}

// The second half of the lanes copies zeros.
__global__ void copies(const float* from) {
  HAST_DYNAMIC_SHARED(float, values);
  const int item = 4 * static_cast<int>(threadIdx.x);
  copy_async<4>(values + item, from + item, threadIdx.x < kWarp / 2);
  copies_wait();
}

struct Judge {
  Stream& stream;
  int wrong = 0;

  // global, shared: taken and least.
  template <class... Parameters, class... Arguments>
  void expect(const char* name, int64_t global, int64_t least_global, int64_t shared, int64_t least_shared,
              void (*kernel)(Parameters...), unsigned threads, Arguments... arguments) {
    const size_t shared_bytes = 8192;
    if (launch(kernel, 1, threads, shared_bytes, stream, arguments...) != HAST_OK) wrong++, std::puts(name);
    int64_t counts[4];
    hast_traffic_take(counts);
    if (counts[0] == global && counts[1] == least_global && counts[2] == shared && counts[3] == least_shared) return;
    wrong++;
    std::printf("%s: %lld of %lld sectors, %lld of %lld passes\n", name, static_cast<long long>(counts[0]),
                static_cast<long long>(counts[1]), static_cast<long long>(counts[2]),
                static_cast<long long>(counts[3]));
  }
};

}  // namespace

int main() {
  Stream stream{};
  void *first = nullptr, *second = nullptr;
  constexpr size_t kBytes = 8192;
  if (cudaStreamCreateWithFlags(&stream.handle, cudaStreamNonBlocking) != cudaSuccess ||
      cudaMalloc(&first, kBytes) != cudaSuccess || cudaMalloc(&second, kBytes) != cudaSuccess) {
    return 100;
  }
  float *to = static_cast<float*>(first), *from = static_cast<float*>(second);
  for (size_t i = 0; i < kBytes / sizeof(float); i++) from[i] = 1.0f;
  Judge judge{stream};
  // A warp's 512 bytes are 16 sectors, to read and to write.
  judge.expect("vectors", 8 * 32, 8 * 32, 0, 0, copy_vectors, 8 * kWarp, reinterpret_cast<float4*>(to),
               reinterpret_cast<const float4*>(from));
  // 128 of 256 bytes are 8 sectors instead of 4; the writes are 4.
  judge.expect("every other", 8 + 4, 4 + 4, 0, 0, every_other, kWarp, to, static_cast<const float*>(from));
  // One bank, or a bank for each row; a value for all lanes is one pass.
  judge.expect("column of 32", 4, 4, 32 + 1, 1 + 1, column, kWarp, to, 32);
  judge.expect("column of 33", 4, 4, 1 + 1, 1 + 1, column, kWarp, to, 33);
  judge.expect("column of 48", 4, 4, 16 + 1, 1 + 1, column, kWarp, to, 48);
  // Eight lanes have two rows: banks 0 to 15, and 16 to 31 or 24 to 39.
  judge.expect("rows of 16", 0, 0, 4, 4, rows_of_vectors, kWarp, 16);
  judge.expect("rows of 24", 0, 0, 8, 4, rows_of_vectors, kWarp, 24);
  // 16 lanes have 32 words in a row, or over 64 banks.
  judge.expect("pairs", 0, 0, 2, 2, pairs, kWarp, 2);
  judge.expect("distant pairs", 0, 0, 4, 2, pairs, kWarp, 4);
  judge.expect("half a warp of pairs", 0, 0, 1, 1, pairs, kWarp / 2, 2);
  judge.expect("copies", 8, 8, 4, 4, copies, kWarp, static_cast<const float*>(from));
  return judge.wrong;
}

// Kernels with one defect each, beside the same without it: the detector of races must tell them apart. The emulation
// must let an asynchronous copy arrive late, and refuse what no device launches. Exits with the number of kernels
// judged wrongly, and names them.
#include <cstdio>

#include "kernel.cuh"
#include "mma.cuh"

using namespace hast;

namespace {

constexpr unsigned kBlocks = 3;

// A value passes to the neighbouring thread through shared memory.
__global__ void neighbors(float* out, bool barrier) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = 1.0f;
  if (barrier) __syncthreads();
  out[first_item()] = values[(threadIdx.x + 1) % blockDim.x];
}

// The second round writes what others may still read of the first.
__global__ void rounds(float* out, bool barrier) {
  HAST_DYNAMIC_SHARED(float, values);
  float sum = 0.0f;
  for (int round = 0; round < 2; round++) {
    if (barrier) __syncthreads();
    values[threadIdx.x] = 1.0f;
    __syncthreads();
    sum += values[(threadIdx.x + 1) % blockDim.x];
  }
  out[first_item()] = sum;
}

// A shuffle says nothing about memory.
__global__ void lanes(float* out, bool barrier) {
  HAST_DYNAMIC_SHARED(float, values);
  values[threadIdx.x] = 1.0f;
  if (barrier) __syncthreads();
  out[first_item()] = warp_sum(1.0f) + values[threadIdx.x ^ 1];
}

__global__ void unwritten(float* out, bool all) {
  HAST_DYNAMIC_SHARED(float, values);
  if (all || threadIdx.x != 7) values[threadIdx.x] = 1.0f;
  __syncthreads();
  out[first_item()] = values[(threadIdx.x + 1) % blockDim.x];
}

__global__ void same_place(float* out, bool apart) { out[apart ? blockIdx.x : 0] = static_cast<float>(threadIdx.x); }

__global__ void across_blocks(float* out, bool apart) {
  if (threadIdx.x == 0) out[apart ? blockIdx.x : 0] = 1.0f;
}

// Every thread leaves a value, and the block that takes the last ticket adds them.
enum class Without { kNothing, kFence, kBarrier, kLastFence, kTicket };
__global__ void ticket(float* out, unsigned* counter, Without without) {
  __shared__ bool last;
  out[first_item()] = 1.0f;
  if (without != Without::kFence) __threadfence();
  if (without != Without::kBarrier) __syncthreads();
  if (threadIdx.x == 0) {
    last = without == Without::kTicket ? blockIdx.x == gridDim.x - 1 : atomicAdd(counter, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  if (without != Without::kLastFence) __threadfence();
  float sum = 0.0f;
  for (unsigned i = 0; i < gridDim.x; i++) sum += out[i * blockDim.x + (threadIdx.x + 1) % blockDim.x];
  __syncthreads();
  out[first_item()] = sum;
  if (threadIdx.x == 0) *counter = 0;
}

// block_sum and last_block of kernel.cuh, as kernels use them.
__global__ void reduction(float* out, unsigned* counter) {
  const float first = block_sum(1.0f), second = block_sum(first);
  if (threadIdx.x == 0) out[blockIdx.x] = second;
  if (!last_block(counter, gridDim.x)) return;
  float sum = 0.0f;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) sum += out[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[0] = sum;
}

__global__ void copies(float* out, const float* from, bool wait) {
  HAST_DYNAMIC_SHARED(float, values);
  copy_async<1>(values + threadIdx.x, from + threadIdx.x, true);
  if (wait) copies_wait();
  out[first_item()] = values[threadIdx.x];
  copies_wait();
}

// A barrier between the start and the wait does not make a copy visible.
__global__ void late_copies(float* out, const float* from, bool barrier_last) {
  HAST_DYNAMIC_SHARED(float, values);
  copy_async<1>(values + threadIdx.x, from + threadIdx.x, true);
  if (!barrier_last) __syncthreads();
  copies_wait();
  if (barrier_last) __syncthreads();
  out[first_item()] = values[(threadIdx.x + 1) % blockDim.x];
}

__global__ void bounds(float* out, int64_t count, bool check) {
  if (!check || first_item() < count) out[first_item()] = 1.0f;
}

// Reads one item, far from the first or the last of its array.
__global__ void reach(float* out, const float* from, int64_t item) {
  if (first_item() == 0) out[0] = from[item];
}

// Behind the dynamic shared memory lie no other bytes of the block.
__global__ void reach_shared(float* out, int item) {
  HAST_DYNAMIC_SHARED(float, values);
  values[threadIdx.x] = 1.0f;
  __syncthreads();
  if (first_item() == 0) out[0] = values[item];
}

__global__ void nothing() {}

struct Judge {
  const Stream& stream;
  int wrong = 0;

  template <class... Parameters, class... Arguments>
  void expect(bool clean, const char* name, void (*kernel)(Parameters...), Arguments... arguments) {
    compare(name, launch(kernel, kBlocks, kThreads, kThreads * sizeof(float), stream, arguments...), HAST_OK);
    const int32_t expected = clean ? HAST_OK : static_cast<int32_t>(cudaErrorLaunchFailure);
    compare(name, status_of(cudaStreamSynchronize(stream.handle)), expected);
  }

  void launches(cudaError_t expected, const char* name, dim3 grid, dim3 block, size_t shared_bytes) {
    compare(name, launch(nothing, grid, block, shared_bytes, stream), static_cast<int32_t>(expected));
  }

 private:
  void compare(const char* name, int32_t status, int32_t expected) {
    if (status == expected) return;
    std::printf("%s: status %d, expected %d\n", name, status, expected);
    wrong++;
  }
};

}  // namespace

int main() {
  constexpr int64_t kItems = kBlocks * int64_t{kThreads};
  Stream stream{};
  void *out = nullptr, *small = nullptr, *counter = nullptr;
  if (cudaStreamCreateWithFlags(&stream.handle, cudaStreamNonBlocking) != cudaSuccess ||
      cudaMalloc(&out, kItems * sizeof(float)) != cudaSuccess ||
      cudaMalloc(&small, (kItems - 1) * sizeof(float)) != cudaSuccess ||
      cudaMalloc(&counter, sizeof(unsigned)) != cudaSuccess) {
    return 100;
  }
  float *values = static_cast<float*>(out), *fewer = static_cast<float*>(small);
  unsigned* tickets = static_cast<unsigned*>(counter);
  *tickets = 0;
  Judge judge{stream};
  for (const bool clean : {true, false}) {
    judge.expect(clean, "neighbours", neighbors, values, clean);
    judge.expect(clean, "rounds", rounds, values, clean);
    judge.expect(clean, "lanes", lanes, values, clean);
    judge.expect(clean, "unwritten", unwritten, values, clean);
    judge.expect(false, "same place", same_place, values, clean);
    judge.expect(clean, "across blocks", across_blocks, values, clean);
    judge.expect(clean, "late copies", late_copies, values, static_cast<const float*>(fewer), clean);
    judge.expect(clean, "bounds", bounds, fewer, kItems - 1, clean);
    judge.expect(true, "reduction", reduction, values, tickets);
  }
  for (const int64_t item : {int64_t{0}, kItems - 2}) {
    judge.expect(true, "reach", reach, values, static_cast<const float*>(fewer), item);
  }
  for (const int64_t item : {int64_t{-40}, int64_t{-1}, kItems - 1, kItems + 38}) {
    judge.expect(false, "reach", reach, values, static_cast<const float*>(fewer), item);
  }
  judge.expect(true, "reach shared", reach_shared, values, static_cast<int>(kThreads) - 1);
  for (const int item : {-40, -1, static_cast<int>(kThreads), static_cast<int>(kThreads) + 39}) {
    judge.expect(false, "reach shared", reach_shared, values, item);
  }
  judge.expect(true, "ticket", ticket, values, tickets, Without::kNothing);
  judge.expect(false, "ticket without a fence", ticket, values, tickets, Without::kFence);
  judge.expect(false, "ticket without a barrier", ticket, values, tickets, Without::kBarrier);
  judge.expect(false, "ticket without the last fence", ticket, values, tickets, Without::kLastFence);
  judge.expect(false, "ticket not taken", ticket, values, tickets, Without::kTicket);

  constexpr size_t kMostShared = 101376;  // of compute capability 8.6
  judge.launches(cudaSuccess, "limits", dim3(1, 2, 3), dim3(2, 8, 64), kMostShared);
  judge.launches(cudaErrorInvalidValue, "shared memory", 1, 1, kMostShared + 1);
  judge.launches(cudaErrorInvalidConfiguration, "no blocks", dim3(1, 0, 1), 1, 0);
  judge.launches(cudaErrorInvalidConfiguration, "grid x", dim3(1u << 31), 1, 0);
  judge.launches(cudaErrorInvalidConfiguration, "grid y", dim3(1, 65536), 1, 0);
  judge.launches(cudaErrorInvalidConfiguration, "grid z", dim3(1, 1, 65536), 1, 0);
  judge.launches(cudaErrorInvalidConfiguration, "no threads", 1, 0, 0);
  judge.launches(cudaErrorInvalidConfiguration, "threads", 1, dim3(32, 33), 0);
  judge.launches(cudaErrorInvalidConfiguration, "block z", 1, dim3(1, 1, 65), 0);
  cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 0);
  hast::emulation::launch(stream.handle, reinterpret_cast<const void*>(nothing), 1, 1, (48 << 10) + 1, nothing);
  if (cudaGetLastError() != cudaErrorInvalidValue) judge.wrong++, std::puts("shared memory nobody allowed");

  for (int64_t i = 0; i < kThreads; i++) fewer[i] = static_cast<float>(i);
  judge.expect(true, "copies", copies, values, static_cast<const float*>(fewer), true);
  if (values[5] != 5.0f) judge.wrong++, std::puts("copies: a copy did not arrive");
  judge.expect(true, "copies", copies, values, static_cast<const float*>(fewer), false);
  if (!std::isnan(values[5])) judge.wrong++, std::puts("copies: one arrived before the wait");
  return judge.wrong;
}

// What every kernel of the CUDA library shares: streams, launches, argument checks, reductions.
//
// The sources also compile with g++ on ../emulation, so nothing here or in a .cu file uses a language extension that
// plain C++ cannot stand in for: kernels go through launch(), dynamic shared memory through HAST_DYNAMIC_SHARED, and
// inline PTX has a plain twin under HAST_EMULATION.
#ifndef HAST_KERNEL_CUH
#define HAST_KERNEL_CUH

#include <cuda_runtime.h>
#include <hast/status.h>

#include <cstdint>

#include "portable/arguments/arguments.h"
#include "portable/numbers.h"

#if defined(HAST_EMULATION)
#define HAST_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(hast::emulation::index.dynamic_shared)
#else
#define HAST_DYNAMIC_SHARED(type, name)                                 \
  extern __shared__ __align__(128) unsigned char hast_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(hast_dynamic_shared)
#endif

namespace hast {

constexpr unsigned kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kFullWarp = 0xffffffffu;

// Reductions over blocks that one launch of a kernel may hold at once.
constexpr int64_t kTickets = 4096;

// What `void* stream` points to.
struct Stream {
  cudaStream_t handle;
  // kTickets counters, 0 between launches. Launches of one stream never overlap, so they share them.
  unsigned* tickets;
  int32_t ordinal;
  int32_t processors;    // multiprocessors of the device
  int32_t shared_bytes;  // shared memory a block may ask for
  int32_t math;          // HAST_MATH_*
};

inline Stream& stream_of(void* stream) { return *static_cast<Stream*>(stream); }

// The ABI's status for what a call of the runtime returned. The runtime also remembers errors for cudaGetLastError,
// where the next launch must not find them.
inline int32_t status_of(cudaError_t error) {
  if (error == cudaSuccess) return HAST_OK;
  cudaGetLastError();
  return error == cudaErrorMemoryAllocation ? HAST_EMEMORY : static_cast<int32_t>(error);
}

// n / divisor for 0 <= n < 2^31, by a multiplication (Granlund and Montgomery, 1994).
struct Divider {
  unsigned divisor, factor, shift;

  explicit Divider(int64_t by) : divisor(static_cast<unsigned>(by)), factor(0), shift(0) {
    while (uint64_t{1} << shift < divisor) shift++;
    factor = static_cast<unsigned>((((uint64_t{1} << shift) - divisor) << 32) / divisor + 1);
  }
  __device__ int operator()(int n) const {
    return static_cast<int>((__umulhi(static_cast<unsigned>(n), factor) + static_cast<unsigned>(n)) >> shift);
  }
};

// Splits a number into quotient and remainder.
struct Division {
  int quotient, remainder;
  __device__ Division(int n, const Divider& by)
      : quotient(by(n)), remainder(n - quotient * static_cast<int>(by.divisor)) {}
};

// Whether 16-byte accesses are allowed at all of these addresses; null pointers are not accessed.
template <class... Pointers>
bool aligned16(const Pointers*... pointers) {
  return (((reinterpret_cast<uintptr_t>(pointers) & 15) == 0) && ...);
}

// How many float4 of [0, n) to access: as many as fit, or none where an address forbids it.
template <class... Pointers>
int64_t quads_of(int64_t n, const Pointers*... pointers) {
  return aligned16(pointers...) ? n / 4 : 0;
}

// As aligned16, for the 4 bytes of a mask.
inline bool aligned4(const void* pointer) { return (reinterpret_cast<uintptr_t>(pointer) & 3) == 0; }

// kWidth neighbours that move in one access.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth < 16 ? sizeof(T) * kWidth : 16) Pack {
  T at[kWidth];
  __device__ T& operator[](int i) { return at[i]; }
  __device__ const T& operator[](int i) const { return at[i]; }
};

// Writes 16 bytes of global memory in one access. An assignment nvcc may take apart into four, each of which touches as
// many sectors of a warp's.
__device__ inline void store4(float* to, float4 value) { __stwb(reinterpret_cast<float4*>(to), value); }

// Launches a kernel; the error, if any, is that of the launch itself.
template <class... Parameters, class... Arguments>
int32_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, const Stream& stream,
               Arguments... arguments) {
  // Beyond 48 KiB a kernel has to be allowed its dynamic shared memory.
  if (shared_bytes > 48 * 1024) {
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    if (error != cudaSuccess) return status_of(error);
  }
#if defined(HAST_EMULATION)
  emulation::launch(stream.handle, reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
                    [=] { kernel(arguments...); });
#else
  kernel<<<grid, block, shared_bytes, stream.handle>>>(arguments...);
#endif
  return status_of(cudaGetLastError());
}

// Blocks of kThreads for `items` independent items in a grid-stride loop: enough to fill the device, no more.
inline dim3 blocks_for(int64_t items, const Stream& stream) {
  const int64_t most = int64_t{8} * stream.processors;
  return dim3(static_cast<unsigned>(larger(1, smaller(ceil_div(items, kThreads), most))));
}

// First item and step of a grid-stride loop.
__device__ inline int64_t first_item() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t item_step() { return int64_t{gridDim.x} * blockDim.x; }

// The sum over a warp, in every lane; the order is fixed.
template <class T>
__device__ T warp_sum(T value) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) value += __shfl_xor_sync(kFullWarp, value, bits);
  return value;
}

// The sum over a block of whole warps (at most 1024 threads), in every thread; the order is fixed. A barrier: every
// thread of the block must call it.
template <class T>
__device__ T block_sum(T value) {
  __shared__ T warps[kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int count = static_cast<int>(blockDim.x) / kWarp;
  value = warp_sum(value);
  __syncthreads();  // the last call's readers are done
  if (static_cast<int>(threadIdx.x) % kWarp == 0) warps[warp] = value;
  __syncthreads();
  T sum = warps[0];
  for (int i = 1; i < count; i++) sum += warps[i];
  return sum;
}

// True in every thread of the block that comes here last of `blocks`: it sees all that the others wrote before, and may
// combine it in an order of its own, so the result does not depend on who was last. Leaves the ticket at 0.
__device__ inline bool last_block(unsigned* ticket, unsigned blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) *ticket = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

}  // namespace hast

#endif

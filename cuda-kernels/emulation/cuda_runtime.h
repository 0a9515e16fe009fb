// CUDA on the CPU: stands in for NVIDIA's header of this name when g++ compiles the .cu files into the emulated
// library.
//
// Every CUDA thread of a block is a fiber, so __syncthreads and the warp's collectives mean what they mean on a GPU;
// blocks run on a few OS threads. Odd blocks run their threads backwards, so that a missing barrier shows. Streams run
// a launch at once; a captured graph replays its nodes in another order that its dependencies allow. A kernel that
// fails does so after its launch, as on a GPU: the stream's next call has the error, but no later one. An asynchronous
// copy arrives as late as it may. Launches keep to the limits of the smallest device supported; hast_emu traps on
// misaligned accesses, hast_emu_race finds races (watch.cpp), hast_emu_traffic counts accesses (traffic.cpp). What the
// kernels use of the language and of the runtime API is here, nothing else. For tests: it is slow.
#ifndef HAST_EMULATION_CUDA_RUNTIME_H
#define HAST_EMULATION_CUDA_RUNTIME_H

#define HAST_EMULATION 1

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <type_traits>

// ---- language ----

#define __global__
#if defined(HAST_EMULATION_INSTRUMENTED)
// g++ tells nobody of memory that a call takes or gives by value.
#define __device__ __attribute__((always_inline))
#else
#define __device__
#endif
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
// An OS thread runs one block at a time.
#define __shared__ static thread_local

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
};

#define HAST_VECTOR_TYPES(name, scalar, make2, make4)                         \
  struct alignas(2 * sizeof(scalar)) name##2 {                                \
    scalar x, y;                                                              \
  };                                                                          \
  struct alignas(4 * sizeof(scalar) < 16 ? 4 * sizeof(scalar) : 16) name##4 { \
    scalar x, y, z, w;                                                        \
  };                                                                          \
  inline name##2 make2(scalar x, scalar y) { return {x, y}; }                 \
  inline name##4 make4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
HAST_VECTOR_TYPES(float, float, make_float2, make_float4)
HAST_VECTOR_TYPES(int, int, make_int2, make_int4)
HAST_VECTOR_TYPES(uint, unsigned, make_uint2, make_uint4)
HAST_VECTOR_TYPES(uchar, unsigned char, make_uchar2, make_uchar4)
#undef HAST_VECTOR_TYPES
inline void __stwb(float4* to, float4 value) { *to = value; }
// ---- threads ----

namespace hast::emulation {

struct Index {
  dim3 thread, block, block_size, grid_size;
  void* dynamic_shared;
};
// Read all the time, and small enough for the loader's static block; shared memory is not.
extern thread_local Index index __attribute__((tls_model("initial-exec")));

// Runs a call of a kernel over a grid, or notes it in the graph that the stream is capturing.
void launch(void* stream, const void* kernel, dim3 grid, dim3 block, size_t shared_bytes, std::function<void()> call);

// Waits for every living thread of the block.
void block_barrier();

// Waits for the lanes of `mask`; then one of them calls body(lane, operands of all 32 lanes) for each lane of the mask.
// operand stays where it is until this returns, so body may write results through it.
using Collective = void (*)(int lane, void* const* operands);
void warp_collective(unsigned mask, void* operand, Collective body);

// cp.async of 4 or 16 bytes, or of zeros; it arrives when its thread waits, not before.
void start_copy(void* to, const void* from, int bytes, bool present);
void finish_copies();

int lane();

}  // namespace hast::emulation

#define threadIdx (hast::emulation::index.thread)
#define blockIdx (hast::emulation::index.block)
#define blockDim (hast::emulation::index.block_size)
#define gridDim (hast::emulation::index.grid_size)

inline void __syncthreads() { hast::emulation::block_barrier(); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

namespace hast::emulation {

template <class T>
struct Shuffle {
  T value, result;
  int source;
};

template <class T>
T shuffle(unsigned mask, T value, int source) {
  Shuffle<T> own{value, value, source};
  warp_collective(mask, &own, [](int lane, void* const* operands) {
    Shuffle<T>* to = static_cast<Shuffle<T>*>(operands[lane]);
    const Shuffle<T>* from = static_cast<const Shuffle<T>*>(operands[to->source]);
    if (from != nullptr) to->result = from->value;
  });
  return own.result;
}

struct Vote {
  bool predicate;
  unsigned result;
};

inline unsigned vote(unsigned mask, bool predicate) {
  Vote own{predicate, 0};
  warp_collective(mask, &own, [](int lane, void* const* operands) {
    unsigned bits = 0;
    for (int i = 0; i < 32; i++) {
      if (operands[i] != nullptr && static_cast<const Vote*>(operands[i])->predicate) bits |= 1u << i;
    }
    static_cast<Vote*>(operands[lane])->result = bits;
  });
  return own.result;
}

}  // namespace hast::emulation

// `width` splits the warp into independent groups, as on the GPU.
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int own = hast::emulation::lane();
  const int source = own ^ bits;
  return hast::emulation::shuffle(mask, value, (source & ~(width - 1)) > (own | (width - 1)) ? own : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) { return hast::emulation::vote(mask, predicate != 0); }

// ---- atomics: integers only, because a float sum would depend on the order ----

template <class T>
T atomicAdd(T* address, T value) {
  static_assert(std::is_integral_v<T>);
  return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);
}
// ---- arithmetic ----

template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  return b < a ? b : a;
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  return a < b ? b : a;
}
template <class To, class From>
inline To hast_emulation_bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}
inline unsigned __float_as_uint(float value) { return hast_emulation_bits<unsigned>(value); }
inline float __uint_as_float(unsigned value) { return hast_emulation_bits<float>(value); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline int __ffs(int x) { return __builtin_ffs(x); }

// ---- runtime API ----

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904
};

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
using cudaGraphNode_t = struct CUgraphNode_st*;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  size_t sharedMemPerBlockOptin;
  int major, minor, multiProcessorCount, l2CacheSize;
};

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventDefault = 0;
constexpr unsigned cudaHostAllocDefault = 0;

cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaMemGetInfo(size_t* available, size_t* total);
cudaError_t cudaMalloc(void** address, size_t bytes);
cudaError_t cudaFree(void* address);
cudaError_t cudaHostAlloc(void** address, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* address);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
// The only attribute: how much dynamic shared memory a kernel may have.
cudaError_t hast_emulation_allow_shared(const void* kernel, int bytes);
template <class Function>
cudaError_t cudaFuncSetAttribute(Function* kernel, cudaFuncAttribute, int bytes) {
  return hast_emulation_allow_shared(reinterpret_cast<const void*>(kernel), bytes);
}

#endif

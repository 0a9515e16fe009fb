// Pieces shared by the three directions of the CPU convolution: vector types, instruction-set choice, geometry.
#ifndef HAST_CONV2D_COMMON_H
#define HAST_CONV2D_COMMON_H

#include <hast/conv.h>

#include <cstdint>
#include <cstring>

#include "kernel.h"
#include "portable/arguments/conv.h"
#include "portable/convolution.h"

// A lambda has the instruction set of the build, not of the function around it, so it must not become a function.
#define HAST_LAMBDA __attribute__((always_inline))

// Where HAST_CLONES would force one vector length (and its spills) on every instruction set, a kernel is an
// always_inline template over its vector length and register tile, and choose() picks among its instances.
#if defined(__x86_64__)
#define HAST_TARGET_V4 __attribute__((target("arch=x86-64-v4")))
#define HAST_TARGET_V3 __attribute__((target("arch=x86-64-v3")))
#else
#define HAST_TARGET_V4
#define HAST_TARGET_V3
#endif

namespace hast::conv {

// Packed channels are padded to a multiple of this, the longest vector, so that sizes do not depend on the machine.
constexpr int64_t kLanes = 16;

template <int kWidth>
struct VectorOf {
  using type __attribute__((vector_size(kWidth * 4), aligned(4), may_alias)) = float;
};
template <int kWidth>
using Vector = typename VectorOf<kWidth>::type;

// A macro, because a function that returns a 64-byte vector has a different ABI with and without AVX-512.
#define HAST_VECTOR(width, address) (*reinterpret_cast<const ::hast::conv::Vector<width>*>(address))

enum class Isa { kBaseline, kV3, kV4 };

inline Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return Isa::kV4;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    return Isa::kV3;
  }
#endif
  return Isa::kBaseline;
}

inline const Isa kIsa = detect_isa();

// A kernel's instance, compiled for one instruction set.
template <auto kKernel, class... Arguments>
HAST_TARGET_V4 void on_v4(Arguments... arguments) {
  kKernel(arguments...);
}
template <auto kKernel, class... Arguments>
HAST_TARGET_V3 void on_v3(Arguments... arguments) {
  kKernel(arguments...);
}
template <auto kKernel, class... Arguments>
void on_baseline(Arguments... arguments) {
  kKernel(arguments...);
}

// The instance for the processor.
template <class Function, auto kOnV4, auto kOnV3, auto kOnBaseline>
Function choose() {
  if (kIsa == Isa::kV4) return on_v4<kOnV4>;
  if (kIsa == Isa::kV3) return on_v3<kOnV3>;
  return on_baseline<kOnBaseline>;
}

inline int64_t lanes_of(Isa isa) { return isa == Isa::kV4 ? 16 : isa == Isa::kV3 ? 8 : 4; }

// Scratch of the calling thread, there from the thread's first call to its end.
constexpr int64_t kScratchFloats = 1 << 16;
inline float* thread_scratch() {
  alignas(64) static thread_local float scratch[kScratchFloats];
  return scratch;
}

using Geometry = Convolution;

// A row of pixels for groups so small that a vector has outputs of several: spread[column][i][lane] is what the lane's
// group has at place i, channel[lane] being the first channel of its group.
template <int kWidth>
HAST_INLINE void spread_pixels(float* spread, const float* row, int64_t row_c, int64_t columns, int64_t group_c,
                               const int64_t (&channel)[kWidth]) {
  for (int64_t column = 0; column < columns; column++, row += row_c) {
    for (int64_t i = 0; i < group_c; i++, spread += kWidth) {
#pragma GCC unroll 16
      for (int64_t l = 0; l < kWidth; l++) spread[l] = row[channel[l] + i];
    }
  }
}

// Start of the 64-byte aligned part of a workspace; every workspace size includes these 64 bytes.
constexpr int64_t kAlignment = 64;
inline float* aligned(void* workspace) {
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(workspace) + kAlignment - 1) &
                                  ~static_cast<uintptr_t>(kAlignment - 1));
}

// Workspace of the weight gradient of a valid geometry; defined beside its kernel.
int64_t backward_weight_workspace_bytes(const Geometry& g);

}  // namespace hast::conv

#endif

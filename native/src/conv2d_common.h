/* Pieces shared by the three directions of the CPU convolution: vector types, instruction-set choice, geometry. */
#ifndef HAST_CONV2D_COMMON_H
#define HAST_CONV2D_COMMON_H

#include <hast/conv.h>

#include <cstdint>
#include <cstring>

#include "convolution.h"
#include "portable.h"

/* A lambda has the instruction set of the build, not of the function around it, so it must not become a function. */
#define HAST_LAMBDA __attribute__((always_inline))

/* A kernel body is an always_inline template over its vector length. One entry function per instruction set
 * instantiates it, with the vector length and register tile of that set, and inherits nothing from the build's -m
 * flags. target_clones would force one vector length (and its spills) on every instruction set. */
#if defined(__x86_64__)
#define HAST_TARGET_V4 __attribute__((target("arch=x86-64-v4")))
#define HAST_TARGET_V3 __attribute__((target("arch=x86-64-v3")))
#else
#define HAST_TARGET_V4
#define HAST_TARGET_V3
#endif

namespace hast::conv {

/* Packed channels are padded to a multiple of this, the longest vector, so that sizes do not depend on the machine. */
inline constexpr int64_t kLanes = 16;

template <int L>
struct VectorOf {
  typedef float type __attribute__((vector_size(L * 4), aligned(4), may_alias));
};
template <int L>
using Vector = typename VectorOf<L>::type;

/* A macro, because a function that returns a 64-byte vector has a different ABI with and without AVX-512. */
#define HAST_VECTOR(L, address) (*reinterpret_cast<const ::hast::conv::Vector<L>*>(address))

enum class Isa { kBaseline, kV3, kV4 };

inline Isa DetectIsa() {
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

inline const Isa kIsa = DetectIsa();
inline int64_t LanesOf(Isa isa) { return isa == Isa::kV4 ? 16 : isa == Isa::kV3 ? 8 : 4; }

/* Scratch of the calling thread, there from the thread's first call to its end. */
inline constexpr int64_t kScratchFloats = 1 << 16;
inline float* Scratch() {
  alignas(64) static thread_local float scratch[kScratchFloats];
  return scratch;
}

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

using Geometry = Convolution;

/* A row of pixels for groups so small that a vector has outputs of several: spread[column][i][lane] is what the lane's
 * group has at place i, channel[lane] being the first channel of its group. */
template <int L>
HAST_INLINE void SpreadPixels(float* spread, const float* row, int64_t row_c, int64_t columns, int64_t group_c,
                              const int64_t (&channel)[L]) {
  for (int64_t column = 0; column < columns; ++column, row += row_c) {
    for (int64_t i = 0; i < group_c; ++i, spread += L) {
#pragma GCC unroll 16
      for (int64_t l = 0; l < L; ++l) spread[l] = row[channel[l] + i];
    }
  }
}

/* Start of the 64-byte aligned part of a workspace; every workspace size includes these 64 bytes. */
inline constexpr int64_t kAlignment = 64;
inline float* Align(void* workspace) {
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(workspace) + kAlignment - 1) &
                                  ~static_cast<uintptr_t>(kAlignment - 1));
}

/* Workspace of the weight gradient of a valid geometry; defined beside its kernel. */
int64_t BackwardWeightWorkspaceBytes(const Geometry& g);

}  // namespace hast::conv

#endif

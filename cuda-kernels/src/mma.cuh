// Tensor-core and asynchronous-copy instructions of compute capability 8.0 and later, each with a plain twin for the
// emulated library.
#ifndef HAST_MMA_CUH
#define HAST_MMA_CUH

#include "kernel.cuh"

namespace hast {

// x with 10 bits of mantissa, half away from zero; NaN stays NaN.
__device__ inline float to_tf32(float x) {
#if defined(HAST_EMULATION)
  return std::isfinite(x) ? __uint_as_float((__float_as_uint(x) + 0x1000u) & ~0x1fffu) : x;
#else
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
#endif
}

#if defined(HAST_EMULATION)
namespace emulation {

struct MmaOperands {
  float (&d)[4];
  const float *a, *b;
};

// What a tensor core makes of a factor: it ignores the lower bits.
inline float tf32_bits(float x) { return std::isfinite(x) ? __uint_as_float(__float_as_uint(x) & ~0x1fffu) : x; }

inline void mma_lane(int lane, void* const* operands) {
  const auto of = [operands](int from) { return static_cast<const MmaOperands*>(operands[from]); };
  float(&d)[4] = static_cast<MmaOperands*>(operands[lane])->d;
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 8; k++) {
      const float a = of(row % 8 * 4 + k % 4)->a[row / 8 + 2 * (k / 4)];
      const float b = of(column * 4 + k % 4)->b[k / 4];
      d[i] += tf32_bits(a) * tf32_bits(b);
    }
  }
}

}  // namespace emulation
#endif

// d += a b over the warp, a 16 x 8, b 8 x 8 of tf32. Lane 4 g + t holds
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)   b: (t, g), (t + 4, g)
//   d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
__device__ inline void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
#if defined(HAST_EMULATION)
  emulation::MmaOperands own{d, a, b};
  emulation::warp_collective(kFullWarp, &own, emulation::mma_lane);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#endif
}

// Starts copying kFloats (1 or 4) to shared memory, or zeros where `present` is false; `from` must be an address of the
// tensor all the same. Both addresses are multiples of the size.
template <int kFloats>
__device__ inline void copy_async(float* to, const float* from, bool present) {
  static_assert(kFloats == 1 || kFloats == 4);
#if defined(HAST_EMULATION)
  emulation::start_copy(to, from, 4 * kFloats, present);
#else
  const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = present ? 4 * kFloats : 0;
  if constexpr (kFloats == 4) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(from), "r"(bytes) : "memory");
  }
#endif
}

// Waits for all copies that this thread has started; other threads see them after the next barrier.
__device__ inline void copies_wait() {
#if defined(HAST_EMULATION)
  emulation::finish_copies();
#else
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

}  // namespace hast

#endif

// What the arithmetic that the CPU and the CUDA library share is declared with. A header that holds such arithmetic
// includes this and neither library's own kernel header.
#ifndef HAST_PORTABLE_H
#define HAST_PORTABLE_H

#if defined(__CUDACC__)
#define HAST_PORTABLE __host__ __device__
#else
#define HAST_PORTABLE
#endif

// Inlined into every instruction-set clone of a CPU kernel.
#define HAST_INLINE inline __attribute__((always_inline))

#endif

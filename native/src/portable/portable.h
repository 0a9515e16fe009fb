// What the CPU and the CUDA library share is in this folder: formulas, geometry and the checks of arguments
// (arguments/). Its headers include each other and the ABI's, and neither library's own; this one has what they are
// declared with.
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

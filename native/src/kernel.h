// What every kernel of the CPU library shares: instruction-set clones, copies, element-wise pieces.
#ifndef HAST_KERNEL_H
#define HAST_KERNEL_H

#include <hast/status.h>

#include <cstdint>
#include <cstring>

#include "parallel.h"
#include "portable/arguments/arguments.h"
#include "portable/numbers.h"
#include "portable/portable.h"

// HAST_CLONES compiles a function for the x86-64 baseline, AVX2 + FMA and AVX-512; the loader picks one. Only what is
// inlined into such a function shares its instruction set, so hot loops stand in HAST_INLINE functions or in the
// function itself, never behind a call or a std:: algorithm. Sanitizers run before the loader can pick: no clones.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAST_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HAST_CLONES
#endif

// No iteration depends on an earlier one: outputs are distinct from inputs, or the same element is read and written.
#if defined(__clang__)
#define HAST_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define HAST_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace hast {

// Of `count` elements.
template <class T>
constexpr int64_t bytes_of(int64_t count) {
  return count * static_cast<int64_t>(sizeof(T));
}

HAST_INLINE void copy_floats(float* to, const float* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}
HAST_INLINE void clear_floats(float* to, int64_t count) {
  std::memset(to, 0, static_cast<size_t>(count) * sizeof(float));
}

// Elements of one piece of an element-wise kernel: 64 KiB of float32, a few microseconds of memory traffic.
constexpr int64_t kPieceElements = 16384;

// Runs body(begin, length) over [0, n) in fixed pieces.
template <class Body>
void for_ranges(void* stream, int64_t n, const Body& body) {
  parallel_for(stream, ceil_div(n, kPieceElements), [&](int64_t piece) {
    const int64_t begin = piece * kPieceElements;
    body(begin, smaller(kPieceElements, n - begin));
  });
}

// Runs body(begin, end) over [0, n) in fixed groups of about kPieceElements, an item being `item_elements` long.
template <class Body>
void for_items(void* stream, int64_t n, int64_t item_elements, const Body& body) {
  const int64_t group = larger(1, kPieceElements / item_elements);
  parallel_for(stream, ceil_div(n, group),
               [&](int64_t piece) { body(piece * group, smaller(n, (piece + 1) * group)); });
}

}  // namespace hast

#endif

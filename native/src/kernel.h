// What every kernel of the CPU library shares: instruction-set clones, argument checks, element-wise pieces.
#ifndef HAST_KERNEL_H
#define HAST_KERNEL_H

#include <hast/status.h>

#include <cstdint>

#include "parallel.h"
#include "portable.h"

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

template <class... Pointers>
bool any_null(const Pointers*... pointers) {
  return ((pointers == nullptr) || ...);
}

template <class... Sizes>
bool any_below_one(Sizes... sizes) {
  return ((sizes < 1) || ...);
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Elements of one piece of an element-wise kernel: 64 KiB of float32, a few microseconds of memory traffic.
constexpr int64_t kPieceElements = 16384;

// Runs body(begin, length) over [0, n) in fixed pieces.
template <class Body>
void for_ranges(void* stream, int64_t n, const Body& body) {
  parallel_for(stream, ceil_div(n, kPieceElements), [&](int64_t piece, int32_t) {
    const int64_t begin = piece * kPieceElements;
    body(begin, smaller(kPieceElements, n - begin));
  });
}

// Runs body(begin, end) over [0, n) in fixed groups of about kPieceElements, an item being `item_elements` long.
template <class Body>
void for_items(void* stream, int64_t n, int64_t item_elements, const Body& body) {
  const int64_t group = larger(1, kPieceElements / item_elements);
  parallel_for(stream, ceil_div(n, group),
               [&](int64_t piece, int32_t) { body(piece * group, smaller(n, (piece + 1) * group)); });
}

}  // namespace hast

#endif

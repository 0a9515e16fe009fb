// Vectors of one length on every instruction set: the compiler takes them apart where registers are shorter.
#ifndef HAST_VECTOR_H
#define HAST_VECTOR_H

#include <cstdint>
#include <cstring>

#include "portable/portable.h"

namespace hast {

using Vector = float __attribute__((vector_size(64)));
using Half = float __attribute__((vector_size(32)));
using Quad = float __attribute__((vector_size(16)));

constexpr int64_t kLanes = sizeof(Vector) / sizeof(float);

// From and to any address; by reference, because a function that returns a vector has another ABI with AVX-512.
template <class Lanes>
HAST_INLINE void load(Lanes& v, const float* from) {
  std::memcpy(&v, from, sizeof(Lanes));
}
template <class Lanes>
HAST_INLINE void store(float* to, const Lanes& v) {
  std::memcpy(to, &v, sizeof(Lanes));
}

}  // namespace hast

#endif

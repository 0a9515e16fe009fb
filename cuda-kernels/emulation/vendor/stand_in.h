// What the libraries share that stand in for NVIDIA's in tests: the emulated device lends them its streams and its
// memory, a test can make any of their functions fail, and it can count calls and what was never destroyed.
#ifndef HAST_EMULATION_STAND_IN_H
#define HAST_EMULATION_STAND_IN_H

#include <stream.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#define HAST_EXPORT extern "C" __attribute__((visibility("default")))

// How often a function was called.
HAST_EXPORT int64_t hast_stand_in_calls(const char* function);
// Makes every further call of a function answer with a status before it does anything; 0 ends that.
HAST_EXPORT void hast_stand_in_fail(const char* function, int32_t status);
// Handles and descriptors that exist.
HAST_EXPORT int64_t hast_stand_in_objects();

// For the libraries: counts a call, and answers the status it shall fail with, or 0.
HAST_EXPORT int32_t hast_stand_in_called(const char* function);
HAST_EXPORT void hast_stand_in_count(int32_t objects);

namespace hast::stand_in {

// Counts what exists of a kind.
struct Object {
  Object() { hast_stand_in_count(1); }
  ~Object() { hast_stand_in_count(-1); }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
};

template <class T>
bool is_aligned(const T* address, uintptr_t bytes) {
  return reinterpret_cast<uintptr_t>(address) % bytes == 0;
}

inline bool overlap(const void* a, size_t a_bytes, const void* b, size_t b_bytes) {
  const auto* first = static_cast<const char*>(a);
  const auto* second = static_cast<const char*>(b);
  return a_bytes > 0 && b_bytes > 0 && first < second + b_bytes && second < first + a_bytes;
}

// A float with 10 bits of mantissa, as tensor cores take it.
inline float tf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Factors as the arithmetic takes them.
inline std::vector<double> factors(const float* from, size_t count, bool rounded) {
  std::vector<double> result(count);
  for (size_t i = 0; i < count; i++) result[i] = rounded ? tf32(from[i]) : from[i];
  return result;
}

// Tests run the products of a method many times to time it: they are worth a processor's widest vectors.
#if defined(__x86_64__)
#define HAST_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HAST_WIDE
#endif

inline double dot(const double* a, const double* b, int count) {
  // Sums of its own for each element of a vector: no compiler may make them of one.
  constexpr int kLanes = 8;
  double sums[kLanes] = {};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; lane++) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (int lane = 0; i < count; i++, lane++) sums[lane] += a[i] * b[i];
  double sum = 0;
  for (double part : sums) sum += part;
  return sum;
}

inline void add_scaled(double* to, double factor, const double* from, int count) {
  for (int i = 0; i < count; i++) to[i] += factor * from[i];
}

// result = alpha sum + beta result, which is not read where beta is 0.
inline void store(float* result, const std::vector<double>& sums, float alpha, float beta) {
  for (size_t i = 0; i < sums.size(); i++) {
    result[i] = static_cast<float>(alpha * sums[i] + (beta == 0 ? 0 : double{beta} * result[i]));
  }
}

}  // namespace hast::stand_in

#endif

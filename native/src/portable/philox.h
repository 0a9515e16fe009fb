// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011): four random words, a pure function of key and counter.
#ifndef HAST_PHILOX_H
#define HAST_PHILOX_H

#include <cmath>
#include <cstdint>

#include "portable.h"

namespace hast {

struct Words {
  uint32_t word[4];
};

HAST_PORTABLE inline Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t{0xD2511F53} * counter.word[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// One random node of a program at one step: random.h says how seed, step, draw and block make key and counter.
struct Draw {
  uint64_t seed, step;
  uint32_t draw;

  HAST_PORTABLE Draw(const int64_t* key, int32_t draw)
      : seed(static_cast<uint64_t>(key[0])), step(static_cast<uint64_t>(key[1])), draw(static_cast<uint32_t>(draw)) {}

  HAST_PORTABLE Words block(int64_t index) const {
    return philox(
        {{static_cast<uint32_t>(index), draw, static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)}},
        static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  }
};

// (0, 1), symmetric, never 0 or 1
HAST_PORTABLE inline double uniform(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

// {0 .. count-1} for count up to 2^32
HAST_PORTABLE inline int64_t below(uint32_t word, int64_t count) {
  return static_cast<int64_t>((static_cast<uint64_t>(word) * static_cast<uint64_t>(count)) >> 32);
}

// Two N(0, 1) numbers by Box-Muller, in double and rounded once, so that libraries whose sin, cos and log differ in the
// last bit of a double still agree in nearly every float.
HAST_PORTABLE inline void box_muller(float* y, uint32_t w0, uint32_t w1) {
  const double radius = std::sqrt(-2.0 * std::log(uniform(w0)));
  const double angle = 6.283185307179586476925286766559 * uniform(w1);
  y[0] = static_cast<float>(radius * std::cos(angle));
  y[1] = static_cast<float>(radius * std::sin(angle));
}

}  // namespace hast

#endif

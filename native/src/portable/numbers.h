// Arithmetic of sizes.
#ifndef HAST_NUMBERS_H
#define HAST_NUMBERS_H

#include <cstdint>

#include "portable.h"

namespace hast {

HAST_PORTABLE constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
HAST_PORTABLE constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
HAST_PORTABLE constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
HAST_PORTABLE constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace hast

#endif

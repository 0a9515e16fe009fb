// Prints what a tree of control groups leaves of a machine's memory: bytes available and bytes in all.
// usage: hast_memory_limits MEMBERSHIP_FILE ROOT AVAILABLE TOTAL
#include "memory_limits.h"

#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
  if (count != 5) return 2;
  hast::Memory memory;
  memory.available = std::atoll(arguments[3]);
  memory.total = std::atoll(arguments[4]);
  hast::limit_memory(memory, {arguments[1], arguments[2]});
  std::printf("%lld %lld\n", static_cast<long long>(memory.available), static_cast<long long>(memory.total));
  return 0;
}

// What control groups leave of the machine's memory.
#ifndef HAST_MEMORY_LIMITS_H
#define HAST_MEMORY_LIMITS_H

#include <cstdint>

namespace hast {

struct Memory {
  int64_t available = 0;
  int64_t total = 0;
};

// Where a process finds its groups.
struct GroupTree {
  const char* membership = "/proc/self/cgroup";  // "hierarchy:controllers:path" on each line
  const char* root = "/sys/fs/cgroup";           // version 2, version 1 (a folder for each hierarchy), or both
};

// Lowers both numbers to the least that any group allows, from the process's own up to the root of the tree. Files that
// are dropped before anything is refused count as available. Without a tree nothing changes.
void limit_memory(Memory& memory, const GroupTree& tree);

}  // namespace hast

#endif

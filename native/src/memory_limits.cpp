// Control groups nest, and a batch scheduler sets its limit on a job whose steps and tasks are groups below it: every
// group from the process's own to the root is asked, and the one that leaves least decides.
#include "memory_limits.h"

#include <sys/stat.h>

#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hast {
namespace {

// Version 1 has no word for "no limit" but the largest number of whole pages; nothing near it is one.
constexpr int64_t kNoLimit = int64_t{1} << 60;

struct Path {
  char text[PATH_MAX];

  // False where it does not fit.
  __attribute__((format(printf, 2, 3))) bool print(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return length >= 0 && static_cast<size_t>(length) < sizeof(text);
  }

  bool is_folder() const {
    struct stat status;
    return stat(text, &status) == 0 && S_ISDIR(status.st_mode);
  }
};

// Of a group's files those that tell of its memory.
struct Names {
  const char* limits[2];
  const char* usage;
  const char* reclaimable;   // key in memory.stat, descendants included
  const char* limit_in_all;  // key in memory.stat of the least limit up to a root that may not be mounted here
  const char* nests;         // file that holds 0 where groups below are not limited by this one
};
constexpr Names kVersion1 = {{"memory.limit_in_bytes", nullptr},
                             "memory.usage_in_bytes",
                             "total_inactive_file",
                             "hierarchical_memory_limit",
                             "memory.use_hierarchy"};
// Beyond memory.high nothing is killed, but everything is slowed down until it is of no use.
constexpr Names kVersion2 = {{"memory.max", "memory.high"}, "memory.current", "inactive_file", nullptr, nullptr};

// The number that text begins with; false when there is none ("max": no limit).
bool parse(const char* text, int64_t& number) {
  char* end = nullptr;
  const long long parsed = std::strtoll(text, &end, 10);
  if (end == text) return false;
  number = parsed;
  return true;
}

bool read_number(const char* group, const char* name, int64_t& number) {
  Path path;
  if (!path.print("%s/%s", group, name)) return false;
  std::FILE* file = std::fopen(path.text, "re");
  if (file == nullptr) return false;
  char line[64];
  const bool found = std::fgets(line, sizeof(line), file) != nullptr && parse(line, number);
  std::fclose(file);
  return found;
}

// A value of memory.stat, "key number" on each line.
bool read_statistic(const char* group, const char* key, int64_t& number) {
  Path path;
  if (!path.print("%s/memory.stat", group)) return false;
  std::FILE* file = std::fopen(path.text, "re");
  if (file == nullptr) return false;
  char line[256];
  const size_t length = std::strlen(key);
  bool found = false;
  while (!found && std::fgets(line, sizeof(line), file) != nullptr) {
    found = std::strncmp(line, key, length) == 0 && line[length] == ' ' && parse(line + length, number);
  }
  std::fclose(file);
  return found;
}

void lower(int64_t& value, int64_t bound) {
  if (bound < value) value = bound;
}

// What one group allows.
void limit_to_group(Memory& memory, const char* group, const Names& names) {
  int64_t limit = kNoLimit, number = 0;
  for (const char* name : names.limits) {
    if (name != nullptr && read_number(group, name, number) && number >= 0) lower(limit, number);
  }
  if (names.limit_in_all != nullptr && read_statistic(group, names.limit_in_all, number) && number >= 0) {
    lower(limit, number);
  }
  if (limit >= kNoLimit) return;
  int64_t usage = 0, reclaimable = 0;
  read_number(group, names.usage, usage);
  read_statistic(group, names.reclaimable, reclaimable);
  lower(memory.total, limit);
  const int64_t held = usage - reclaimable;
  lower(memory.available, held >= limit ? 0 : held > 0 ? limit - held : limit);
}

// Whether a path goes through "..": its group lies outside of what the process's namespace shows.
bool leaves(const char* path) {
  for (const char* part = path; part != nullptr; part = std::strchr(part + 1, '/')) {
    if (std::strncmp(part, "/..", 3) == 0 && (part[3] == '/' || part[3] == '\0')) return true;
  }
  return false;
}

// The part of a group's path that lies below the mounted root. A container that sees only its own groups may still be
// told their names on the machine: the shortest beginning that hides the rest is left out.
const char* below_root(const char* root, const char* path) {
  if (leaves(path)) return "";
  Path folder;
  for (const char* rest = path; rest != nullptr; rest = std::strchr(rest + 1, '/')) {
    if (folder.print("%s%s", root, rest) && folder.is_folder()) return rest;
  }
  return "";
}

// What every group allows from a path up to the root.
void limit_to_groups(Memory& memory, const char* root, const char* path, const Names& names) {
  Path group;
  if (!group.print("%s%s", root, below_root(root, path))) return;
  const size_t root_length = std::strlen(root);
  limit_to_group(memory, group.text, names);
  while (char* last = std::strrchr(group.text + root_length, '/')) {
    *last = '\0';
    int64_t nests = 1;
    if (names.nests != nullptr) read_number(group.text, names.nests, nests);
    if (nests != 0) limit_to_group(memory, group.text, names);
  }
}

// Whether a list parted by commas holds a word.
bool holds(const char* list, const char* word) {
  const size_t length = std::strlen(word);
  for (const char* item = list; item != nullptr; item = std::strchr(item, ',')) {
    if (*item == ',') item++;
    if (std::strncmp(item, word, length) == 0 && (item[length] == ',' || item[length] == '\0')) return true;
  }
  return false;
}

// The folder of a version 1 hierarchy has the names of its controllers, or a link with the name of each.
bool find_hierarchy(Path& root, const GroupTree& tree, const char* controllers) {
  return (root.print("%s/%s", tree.root, controllers) && root.is_folder()) ||
         (root.print("%s/memory", tree.root) && root.is_folder());
}

}  // namespace

void limit_memory(Memory& memory, const GroupTree& tree) {
  std::FILE* file = std::fopen(tree.membership, "re");
  if (file == nullptr) return;
  char line[PATH_MAX + 256];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    char* controllers = std::strchr(line, ':');
    char* path = controllers == nullptr ? nullptr : std::strchr(controllers + 1, ':');
    if (path == nullptr) continue;
    *controllers++ = '\0';
    *path++ = '\0';
    Path root;
    if (*controllers == '\0') {
      // Where both versions are mounted, version 2 is a folder beside version 1's; where it is alone, it is the root.
      const bool beside = root.print("%s/unified", tree.root) && root.is_folder();
      limit_to_groups(memory, beside ? root.text : tree.root, path, kVersion2);
    } else if (holds(controllers, "memory") && find_hierarchy(root, tree, controllers)) {
      limit_to_groups(memory, root.text, path, kVersion1);
    }
  }
  std::fclose(file);
}

}  // namespace hast

// The books of the libraries that stand in for NVIDIA's.
#include "stand_in.h"

#include <map>
#include <mutex>
#include <string>

namespace {

struct Books {
  std::mutex mutex;
  std::map<std::string, int64_t> calls;
  std::map<std::string, int32_t> failures;
  int64_t objects = 0;
};

Books& books() {
  static Books all;
  return all;
}

}  // namespace

int64_t hast_stand_in_calls(const char* function) {
  std::lock_guard lock(books().mutex);
  return books().calls[function];
}

void hast_stand_in_fail(const char* function, int32_t status) {
  std::lock_guard lock(books().mutex);
  books().failures[function] = status;
}

int64_t hast_stand_in_objects() {
  std::lock_guard lock(books().mutex);
  return books().objects;
}

int32_t hast_stand_in_called(const char* function) {
  std::lock_guard lock(books().mutex);
  books().calls[function]++;
  return books().failures[function];
}

void hast_stand_in_count(int32_t objects) {
  std::lock_guard lock(books().mutex);
  books().objects += objects;
}

// What g++ -fsanitize=thread has code call before every access of memory, instead of its own runtime, which knows
// nothing of blocks and barriers.
#include "watch.h"

using hast::emulation::watch::access;
using hast::emulation::watch::Kind;

extern "C" {

#define HAST_ACCESS(name, bytes, kind) \
  void __tsan_##name(void* address) { access(address, bytes, Kind::kind, __builtin_return_address(0)); }
#define HAST_ACCESSES(bytes)                       \
  HAST_ACCESS(read##bytes, bytes, kRead)           \
  HAST_ACCESS(write##bytes, bytes, kWrite)         \
  HAST_ACCESS(unaligned_read##bytes, bytes, kRead) \
  HAST_ACCESS(unaligned_write##bytes, bytes, kWrite)
HAST_ACCESSES(1)
HAST_ACCESSES(2)
HAST_ACCESSES(4)
HAST_ACCESSES(8)
HAST_ACCESSES(16)

void __tsan_read_range(void* address, unsigned long bytes) {
  access(address, bytes, Kind::kRead, __builtin_return_address(0));
}
void __tsan_write_range(void* address, unsigned long bytes) {
  access(address, bytes, Kind::kWrite, __builtin_return_address(0));
}
unsigned __tsan_atomic32_fetch_add(volatile unsigned* address, unsigned value, int) {
  hast::emulation::watch::atomic(const_cast<unsigned*>(address), sizeof(unsigned), __builtin_return_address(0));
  return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);
}
void __tsan_atomic_thread_fence(int) { hast::emulation::watch::fence(); }
void __tsan_vptr_update(void*, void*) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}

}  // extern "C"

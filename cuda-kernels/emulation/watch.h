// What whoever watches the threads of a kernel is told: the detector of races (watch.cpp) in the library hast_emu_race,
// the counter of traffic (traffic.cpp) in hast_emu_traffic. In hast_emu nobody does, and all of this is nothing.
#ifndef HAST_EMULATION_WATCH_H
#define HAST_EMULATION_WATCH_H

#include <cstddef>
#include <cstdlib>

namespace hast::emulation::watch {

// Where the fibers of a block have their stacks, and its dynamic shared memory.
struct Places {
  const char* stacks;
  size_t stack_bytes;
  const char* shared;
  size_t shared_bytes;
};

#if defined(HAST_EMULATION_WATCHED)
constexpr bool kWatched = true;
// What lies before and behind memory of `allocate`: no kernel may touch it.
constexpr size_t kGuardBytes = size_t{64} << 10;
void allocated(const void* address, size_t bytes);
void freed(const void* address);
// Around a grid, whose blocks run one after the other; true if it had no defect. The first one is printed.
void begin_grid();
bool end_grid();
void begin_block(int threads, const Places& places);
void resumed(int thread);
void barrier();
// An asynchronous copy by the running thread, of zeros if `from` is null; `code` is where the kernel started it.
void copy_started(const void* to, const void* from, size_t bytes, const void* code);
void copy_arrived(const void* to, const void* from, size_t bytes, const void* code);
// What instrumented code does (instrumented.cpp).
enum class Kind { kRead, kWrite, kAtomic };
void access(const void* address, size_t bytes, Kind kind, const void* code);
void atomic(const void* address, size_t bytes, const void* code);
void fence();
#else
constexpr bool kWatched = false;
constexpr size_t kGuardBytes = 0;
inline void allocated(const void*, size_t) {}
inline void freed(const void*) {}
inline void begin_grid() {}
inline bool end_grid() { return true; }
inline void begin_block(int, const Places&) {}
inline void resumed(int) {}
inline void barrier() {}
inline void copy_started(const void*, const void*, size_t, const void*) {}
inline void copy_arrived(const void*, const void*, size_t, const void*) {}
#endif

// As cudaMalloc aligns; null if there is no more.
inline void* allocate(size_t bytes) {
  void* memory = std::aligned_alloc(256, kGuardBytes + (bytes + 255) / 256 * 256 + kGuardBytes);
  return memory == nullptr ? nullptr : static_cast<char*>(memory) + kGuardBytes;
}
inline void release(void* address) {
  if (address != nullptr) std::free(static_cast<char*>(address) - kGuardBytes);
}

}  // namespace hast::emulation::watch

#endif

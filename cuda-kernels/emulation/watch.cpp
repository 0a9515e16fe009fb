// A detector of races between the threads of a kernel.
//
// It is told of every access of memory (instrumented.cpp). A shadow of every byte of shared and global memory keeps the
// last write and two reads by different threads. An access conflicts with an earlier one of another thread, at least
// one of them a write and not both atomic, unless something orders them:
//   in a block   a __syncthreads between them. Shuffles and votes order no memory.
//   in a launch  a ticket: the first thread's __threadfence, an atomic on some address, later an atomic of the other
//                block on the same one, the second thread's __threadfence. Where the atomics are another thread's, a
//                __syncthreads lies between.
// Launches are in order. Also found: a read of shared memory that no thread of the block wrote, an access out of
// the bounds of an allocation or of dynamic shared memory, by up to the guard that lies around both, and a write to
// anything else.
//
// Time is a counter of barriers, fences, atomics and starts of blocks. Blocks run one after the other, so a time also
// says which block. Missed: the third and later of concurrent readers, what the optimiser merges, what a kernel does
// only with other data, a memcpy or memset in a kernel, and a read beyond the guard.
#include "watch.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

namespace hast::emulation::watch {

namespace {

using Time = uint32_t;
// A launch after this time forgets all earlier ones, which are in order with it. Early, so that tests get there; one
// launch alone does not use up the times that are left.
constexpr Time kForgetAfter = 1u << 10;

// Of one byte; all zero: never touched. A time before the launch (of shared memory: before the block) says the same.
struct Cell {
  Time write, first_read, other_read;
  unsigned writer : 10, first_reader : 10, other_reader : 10, atomic : 1;
};
static_assert(sizeof(Cell) == 16);

struct Unmap {
  size_t bytes;
  void operator()(Cell* cells) const { munmap(cells, bytes); }
};

// Memory with its shadow, of which the system gives the pages that are used, between guards without one.
struct Region {
  uintptr_t begin = 0;
  size_t bytes = 0, guard = 0;
  std::unique_ptr<Cell, Unmap> cells;

  Region() = default;
  Region(const void* address, size_t size, size_t guard_bytes)
      : begin(reinterpret_cast<uintptr_t>(address)), bytes(size), guard(guard_bytes) {
    void* shadow =
        mmap(nullptr, bytes * sizeof(Cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shadow == MAP_FAILED) std::abort();
    cells = std::unique_ptr<Cell, Unmap>(static_cast<Cell*>(shadow), Unmap{bytes * sizeof(Cell)});
  }
  // With the guards.
  bool holds(uintptr_t at) const { return at - (begin - guard) < guard + bytes + guard; }
  bool contains(uintptr_t at, size_t size) const { return at - begin < bytes && size <= bytes - (at - begin); }
  // As if nothing had been touched.
  void forget() { madvise(cells.get(), bytes * sizeof(Cell), MADV_DONTNEED); }
};

// An atomic, and what it makes visible: of each thread of its block the time of the last fence before.
struct Release {
  Time time, barrier;
  unsigned thread;
  std::vector<Time> fences;
};

struct Acquired {
  uintptr_t address;
  Time time;
  unsigned thread;
};

struct Detector {
  std::mutex mutex;                         // of the allocations
  std::map<uintptr_t, Region> allocations;  // by where the guard before them starts
  Region dynamic_shared, static_shared;
  uintptr_t stacks = 0;
  size_t stack_bytes = 0;
  Time now = 1, grid_start = 0, block_start = 0, last_barrier = 0;
  unsigned thread = 0;
  std::vector<Time> fences;
  std::map<uintptr_t, std::vector<Release>> releases;  // by the address of the atomic, in order of time
  std::vector<Acquired> acquired;                      // by the running block
  std::vector<Time> block_starts;
  int64_t defects = 0;
};

// Whether this OS thread is running a grid; everything else that is instrumented is host code.
thread_local bool running __attribute__((tls_model("initial-exec"))) = false;

Detector& detector() {
  static Detector& all = *new Detector();  // outlives the threads that the process ends with
  return all;
}

// The thread-local variables of this library, `__shared__` ones among them, of the calling OS thread.
struct ThreadLocals {
  const void* begin = nullptr;
  size_t bytes = 0;
};
ThreadLocals thread_locals() {
  ThreadLocals found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(&index);
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto& part = info->dlpi_phdr[i];
          const uintptr_t begin = reinterpret_cast<uintptr_t>(info->dlpi_tls_data);
          if (part.p_type != PT_TLS || begin == 0 || at - begin >= part.p_memsz) continue;
          *static_cast<ThreadLocals*>(data) = {info->dlpi_tls_data, part.p_memsz};
          return 1;
        }
        return 0;
      },
      &found);
  if (found.begin == nullptr) std::abort();
  return found;
}

int64_t block_at(Time time) {
  const std::vector<Time>& starts = detector().block_starts;
  return std::upper_bound(starts.begin(), starts.end(), time) - starts.begin() - 1;
}

void report(const char* what, const char* where, intptr_t offset, size_t bytes, Kind kind, const void* code, Time time,
            unsigned thread) {
  Detector& d = detector();
  if (d.defects++ > 0) return;
  Dl_info library{};
  dladdr(code, &library);
  std::fprintf(stderr, "emulated kernel: %s: thread %u of block %lld %s %zu bytes at %s%#zx of %s", what, d.thread,
               static_cast<long long>(block_at(d.now)),
               kind == Kind::kRead    ? "reads"
               : kind == Kind::kWrite ? "writes"
                                      : "changes atomically",
               bytes, offset < 0 ? "-" : "", static_cast<size_t>(std::abs(offset)), where);
  if (time != 0) {
    std::fprintf(stderr, ", which thread %u of block %lld has touched", thread, static_cast<long long>(block_at(time)));
  }
  std::fprintf(stderr, "; addr2line -Cfipe %s %#zx\n", library.dli_fname != nullptr ? library.dli_fname : "?",
               reinterpret_cast<uintptr_t>(code) - reinterpret_cast<uintptr_t>(library.dli_fbase) - 1);
}

// Whether an access of an earlier block reached the running thread through a ticket.
bool acquired(Time time, unsigned thread) {
  const Detector& d = detector();
  for (const Acquired& a : d.acquired) {
    const bool own = a.thread == d.thread;
    if (!own && a.time >= d.last_barrier) continue;
    const std::vector<Release>& all = d.releases.at(a.address);
    auto r = std::lower_bound(all.begin(), all.end(), time, [](const Release& x, Time t) { return x.time < t; });
    const int64_t block = block_at(time);
    for (; r != all.end() && block_at(r->time) == block && r->time < a.time; ++r) {
      if (r->time == time && own) return true;  // the ticket itself
      if (d.fences[d.thread] <= a.time) continue;
      const Time fence = r->fences[thread], atomics_fence = r->fences[r->thread];
      if (r->time == time || (time < fence && (thread == r->thread || fence < r->barrier)) ||
          (time < r->barrier && r->barrier < atomics_fence)) {
        return true;
      }
    }
  }
  return false;
}

bool ordered(Time time, unsigned thread, bool shared) {
  const Detector& d = detector();
  if (time < (shared ? d.block_start : d.grid_start)) return true;
  if (time >= d.block_start) return thread == d.thread || time < d.last_barrier;
  return acquired(time, thread);
}

void touch(const Region& region, const char* where, uintptr_t at, size_t bytes, Kind kind, bool shared,
           const void* code) {
  const Detector& d = detector();
  const intptr_t offset = static_cast<intptr_t>(at - region.begin);
  if (!region.contains(at, bytes)) {
    report("out of bounds", where, offset, bytes, kind, code, 0, 0);
    return;
  }
  for (size_t i = 0; i < bytes; i++) {
    Cell& cell = region.cells.get()[at - region.begin + i];
    if (shared && kind == Kind::kRead && cell.write < d.block_start) {
      report("uninitialised", where, offset, bytes, kind, code, 0, 0);
    }
    if (!(kind == Kind::kAtomic && cell.atomic) && !ordered(cell.write, cell.writer, shared)) {
      report("race", where, offset, bytes, kind, code, cell.write, cell.writer);
    }
    if (kind == Kind::kRead) {
      if (ordered(cell.first_read, cell.first_reader, shared)) {
        cell.first_read = d.now;
        cell.first_reader = d.thread;
      } else if (cell.first_reader != d.thread || cell.first_read < d.block_start) {
        cell.other_read = d.now;
        cell.other_reader = d.thread;
      }
      continue;
    }
    const std::pair<Time, unsigned> reads[] = {{cell.first_read, +cell.first_reader},
                                               {cell.other_read, +cell.other_reader}};
    for (const auto& [time, reader] : reads) {
      if (!ordered(time, reader, shared)) report("race", where, offset, bytes, kind, code, time, reader);
    }
    cell.write = d.now;
    cell.writer = d.thread;
    cell.atomic = kind == Kind::kAtomic;
  }
}

}  // namespace

void access(const void* address, size_t bytes, Kind kind, const void* code) {
  if (!running) return;
  Detector& d = detector();
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (at - d.stacks < d.stack_bytes || at - reinterpret_cast<uintptr_t>(&index) < sizeof(index)) return;
  if (d.dynamic_shared.holds(at)) {
    touch(d.dynamic_shared, "dynamic shared memory", at, bytes, kind, true, code);
  } else if (d.static_shared.holds(at)) {
    touch(d.static_shared, "static shared memory", at, bytes, kind, true, code);
  } else {
    std::lock_guard lock(d.mutex);
    const auto next = d.allocations.upper_bound(at);
    if (next != d.allocations.begin() && std::prev(next)->second.holds(at)) {
      touch(std::prev(next)->second, "an allocation", at, bytes, kind, false, code);
    } else if (kind != Kind::kRead) {
      // Reads are of constants and of the kernel's arguments.
      report("stray", "the host", static_cast<intptr_t>(at), bytes, kind, code, 0, 0);
    }
  }
}

void atomic(const void* address, size_t bytes, const void* code) {
  if (!running) return;
  Detector& d = detector();
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  d.now++;
  d.acquired.push_back({at, d.now, d.thread});
  std::vector<Release>& releases = d.releases[at];
  access(address, bytes, Kind::kAtomic, code);
  releases.push_back({d.now, d.last_barrier, d.thread, d.fences});
  d.now++;
}

void fence() {
  if (!running) return;
  Detector& d = detector();
  d.fences[d.thread] = ++d.now;
}

void allocated(const void* address, size_t bytes) {
  Detector& d = detector();
  std::lock_guard lock(d.mutex);
  d.allocations[reinterpret_cast<uintptr_t>(address) - kGuardBytes] = Region(address, bytes, kGuardBytes);
}

void freed(const void* address) {
  Detector& d = detector();
  std::lock_guard lock(d.mutex);
  d.allocations.erase(reinterpret_cast<uintptr_t>(address) - kGuardBytes);
}

void begin_grid() {
  Detector& d = detector();
  const ThreadLocals locals = thread_locals();
  d.static_shared = Region(locals.begin, locals.bytes, 0);
  if (d.now > kForgetAfter) {
    std::lock_guard lock(d.mutex);
    for (auto& [start, allocation] : d.allocations) allocation.forget();
    d.dynamic_shared = Region();
    d.now = 1;
  }
  d.grid_start = ++d.now;
  d.releases.clear();
  d.block_starts.clear();
  d.defects = 0;
  running = true;
}

bool end_grid() {
  running = false;
  return detector().defects == 0;
}

void begin_block(int threads, const Places& places) {
  Detector& d = detector();
  d.stacks = reinterpret_cast<uintptr_t>(places.stacks);
  d.stack_bytes = places.stack_bytes;
  if (places.shared_bytes > 0 && (d.dynamic_shared.begin != reinterpret_cast<uintptr_t>(places.shared) ||
                                  d.dynamic_shared.bytes != places.shared_bytes)) {
    d.dynamic_shared = Region(places.shared, places.shared_bytes, kGuardBytes);
  }
  if (places.shared_bytes == 0) d.dynamic_shared = Region();
  d.block_start = d.last_barrier = ++d.now;
  d.block_starts.push_back(d.now);
  d.fences.assign(static_cast<size_t>(threads), 0);
  d.acquired.clear();
}

void resumed(int thread) { detector().thread = static_cast<unsigned>(thread); }
void barrier() { detector().last_barrier = ++detector().now; }
// What lies there until then is as good as unknown.
void copy_started(const void* to, const void*, size_t bytes, const void* code) {
  access(to, bytes, Kind::kWrite, code);
}
void copy_arrived(const void* to, const void* from, size_t bytes, const void* code) {
  access(to, bytes, Kind::kWrite, code);
  if (from != nullptr) access(from, bytes, Kind::kRead, code);
}

}  // namespace hast::emulation::watch

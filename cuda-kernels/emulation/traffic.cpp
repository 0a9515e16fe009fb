// A counter of what the warps of a kernel ask of memory, beside the least that the same data asks. Of global memory:
// sectors of 32 bytes that a request touches; at least the bytes it touches / 32. Of shared memory: passes over the 32
// banks of 4 bytes. A request of 4 bytes a lane is served whole, of 8 by half-warps and of 16 by quarters; each share
// takes as many passes as the most words it wants of one bank, and at least its words / 32. Reads and writes,
// asynchronous copies included. Local variables, kernel arguments and static shared memory, which holds a few sums a
// block, are not counted; nor is what caches or DRAM make of the sectors.
//
// It is told of every access (instrumented.cpp). The accesses of a warp's threads at one place in the code, in the
// order of each thread, are taken for one request: all the same where lanes loop equally often, an approximation where
// they do not. g++ may take a vector apart, so accesses that a thread makes shortly after each other to neighbouring
// bytes within 16 aligned ones are one. Where a kernel means several, or nvcc takes a vector apart, a GPU does worse:
// cuda-kernels/resources.tsv has the accesses in nvcc's assembly.
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "watch.h"

namespace hast::emulation::watch {

namespace {

constexpr size_t kWarp = 32, kBanks = 32, kWordBytes = 4, kSectorBytes = 32, kVectorBytes = 16;
// Accesses back to where parts of a vector may lie.
constexpr size_t kLookBack = 16;

enum class Space { kGlobal, kShared };

struct Access {
  uintptr_t at;
  size_t bytes;
};

// A place in the code; of each thread of the running block what it has accessed there, in order.
struct Site {
  const void* code;
  Space space;
  Kind kind;
  std::vector<std::vector<Access>> threads;
};

// One of the running thread's latest accesses.
struct Recent {
  Site* site;
  size_t index;
};

struct Count {
  int64_t requests = 0, taken = 0, least = 0;
};

struct Counter {
  std::mutex mutex;                         // of the allocations
  std::map<uintptr_t, size_t> allocations;  // bytes by where they start
  Places places{};
  size_t thread = 0;
  // Of the running block, by code and kind: a copy reads and writes at one place.
  std::map<std::pair<const void*, Kind>, Site> sites;
  std::deque<Recent> recent;
  Count global, shared;
  std::map<const void*, Count> by_code;
};

thread_local bool running __attribute__((tls_model("initial-exec"))) = false;

Counter& counter() {
  static Counter& all = *new Counter();  // outlives the threads that the process ends with
  return all;
}

bool within(uintptr_t at, const char* begin, size_t bytes) { return at - reinterpret_cast<uintptr_t>(begin) < bytes; }

bool allocated_at(uintptr_t at) {
  Counter& c = counter();
  std::lock_guard lock(c.mutex);
  const auto next = c.allocations.upper_bound(at);
  return next != c.allocations.begin() && at - std::prev(next)->first < std::prev(next)->second;
}

// Adds an access to an earlier one that is the part of the same vector beside it.
bool completes_vector(const void* code, uintptr_t at, size_t bytes, Space space, Kind kind) {
  Counter& c = counter();
  for (auto r = c.recent.rbegin(); r != c.recent.rend(); ++r) {
    Access& earlier = r->site->threads[c.thread][r->index];
    const uintptr_t first = std::min(earlier.at, at);
    if (r->site->code != code && r->site->space == space && r->site->kind == kind &&
        (earlier.at + earlier.bytes == at || at + bytes == earlier.at) &&
        first / kVectorBytes == (first + earlier.bytes + bytes - 1) / kVectorBytes) {
      earlier = {first, earlier.bytes + bytes};
      return true;
    }
  }
  return false;
}

size_t distinct(std::vector<uintptr_t>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers.size();
}

// What one request of a warp takes; lanes that do not take part have no bytes.
Count count_global(const Access (&lanes)[kWarp]) {
  std::vector<uintptr_t> bytes, sectors;
  for (const Access& lane : lanes) {
    for (uintptr_t at = lane.at; at < lane.at + lane.bytes; at++) {
      bytes.push_back(at);
      sectors.push_back(at / kSectorBytes);
    }
  }
  const size_t least = (distinct(bytes) + kSectorBytes - 1) / kSectorBytes;
  return {1, static_cast<int64_t>(distinct(sectors)), static_cast<int64_t>(least)};
}

Count count_shared(const Access (&lanes)[kWarp]) {
  size_t bytes = 0;
  for (const Access& lane : lanes) bytes = std::max(bytes, lane.bytes);
  const size_t share = kWarp / std::max<size_t>(1, (bytes + kWordBytes - 1) / kWordBytes);
  Count count{1, 0, 0};
  for (size_t first = 0; first < kWarp; first += share) {
    std::vector<uintptr_t> words;
    for (size_t lane = first; lane < std::min(first + share, kWarp); lane++) {
      const Access& own = lanes[lane];
      for (uintptr_t at = own.at / kWordBytes; at * kWordBytes < own.at + own.bytes; at++) words.push_back(at);
    }
    const size_t wanted = distinct(words);
    size_t of_bank[kBanks] = {};
    for (const uintptr_t word : words) of_bank[word % kBanks]++;
    count.taken += static_cast<int64_t>(*std::max_element(of_bank, of_bank + kBanks));
    count.least += static_cast<int64_t>((wanted + kBanks - 1) / kBanks);
  }
  return count;
}

void add(Count& sum, const Count& count) {
  sum.requests += count.requests;
  sum.taken += count.taken;
  sum.least += count.least;
}

void count_block() {
  Counter& c = counter();
  for (const auto& [key, site] : c.sites) {
    const bool global = site.space == Space::kGlobal;
    for (size_t warp = 0; warp < site.threads.size(); warp += kWarp) {
      const size_t end = std::min(warp + kWarp, site.threads.size());
      size_t requests = 0;
      for (size_t t = warp; t < end; t++) requests = std::max(requests, site.threads[t].size());
      for (size_t i = 0; i < requests; i++) {
        Access lanes[kWarp] = {};
        for (size_t t = warp; t < end; t++) {
          if (i < site.threads[t].size()) lanes[t - warp] = site.threads[t][i];
        }
        const Count count = global ? count_global(lanes) : count_shared(lanes);
        add(global ? c.global : c.shared, count);
        add(c.by_code[site.code], count);
      }
    }
  }
  c.sites.clear();
  c.recent.clear();
}

void count(const void* address, size_t bytes, Kind kind, const void* code) {
  Counter& c = counter();
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (bytes > kVectorBytes) {
    // No thread moves more at once.
    count(address, kVectorBytes, kind, code);
    count(static_cast<const char*>(address) + kVectorBytes, bytes - kVectorBytes, kind, code);
    return;
  }
  if (within(at, c.places.stacks, c.places.stack_bytes)) return;
  const bool shared = within(at, c.places.shared, c.places.shared_bytes);
  if (!shared && !allocated_at(at)) return;
  const Space space = shared ? Space::kShared : Space::kGlobal;
  if (completes_vector(code, at, bytes, space, kind)) return;
  Site& site = c.sites.try_emplace({code, kind}, Site{code, space, kind, {}}).first->second;
  if (site.threads.size() <= c.thread) site.threads.resize(c.thread + 1);
  std::vector<Access>& own = site.threads[c.thread];
  own.push_back({at, bytes});
  c.recent.push_back({&site, own.size() - 1});
  if (c.recent.size() > kLookBack) c.recent.pop_front();
}

}  // namespace

void allocated(const void* address, size_t bytes) {
  Counter& c = counter();
  std::lock_guard lock(c.mutex);
  c.allocations[reinterpret_cast<uintptr_t>(address)] = bytes;
}

void freed(const void* address) {
  Counter& c = counter();
  std::lock_guard lock(c.mutex);
  c.allocations.erase(reinterpret_cast<uintptr_t>(address));
}

void begin_grid() { running = true; }

bool end_grid() {
  count_block();
  running = false;
  return true;
}

void begin_block(int, const Places& places) {
  count_block();
  counter().places = places;
}

void resumed(int thread) {
  counter().thread = static_cast<size_t>(thread);
  counter().recent.clear();
}

void barrier() {}

void copy_started(const void* to, const void* from, size_t bytes, const void* code) {
  count(to, bytes, Kind::kWrite, code);
  if (from != nullptr) count(from, bytes, Kind::kRead, code);
}

void copy_arrived(const void*, const void*, size_t, const void*) {}

void access(const void* address, size_t bytes, Kind kind, const void* code) {
  if (running) count(address, bytes, kind, code);
}

void atomic(const void* address, size_t bytes, const void* code) { access(address, bytes, Kind::kAtomic, code); }

void fence() {}

}  // namespace hast::emulation::watch

using hast::emulation::watch::Count;
using hast::emulation::watch::counter;

extern "C" {

// Since the last call: sectors of global memory, at least; passes over shared memory, at least. No kernel may run.
__attribute__((visibility("default"))) void hast_traffic_take(int64_t counts[4]) {
  auto& c = counter();
  counts[0] = c.global.taken;
  counts[1] = c.global.least;
  counts[2] = c.shared.taken;
  counts[3] = c.shared.least;
  c.global = c.shared = Count{};
}

// Prints the places that take more than the least of all launches so far, the worst first, for addr2line.
__attribute__((visibility("default"))) void hast_traffic_print(int32_t most) {
  std::vector<std::pair<const void*, Count>> places(counter().by_code.begin(), counter().by_code.end());
  const auto excess = [](const Count& count) { return count.taken - count.least; };
  std::sort(places.begin(), places.end(),
            [&](const auto& a, const auto& b) { return excess(a.second) > excess(b.second); });
  for (size_t i = 0; i < places.size() && i < static_cast<size_t>(most) && excess(places[i].second) > 0; i++) {
    const auto& [code, count] = places[i];
    Dl_info library{};
    dladdr(code, &library);
    std::printf("%lld requests take %lld, at least %lld; addr2line -Cfipe %s %#zx\n",
                static_cast<long long>(count.requests), static_cast<long long>(count.taken),
                static_cast<long long>(count.least), library.dli_fname != nullptr ? library.dli_fname : "?",
                reinterpret_cast<uintptr_t>(code) - reinterpret_cast<uintptr_t>(library.dli_fbase) - 1);
  }
  std::fflush(stdout);
}

}  // extern "C"

// Thread pool behind a stream.
//
// One 64-bit word, claim = {epoch, next index}, hands out the indices. A worker wins an index by compare-and-swap on
// the whole word, so one that wakes late (the machine may be busy) can never take an index of a newer kernel with the
// arguments of an older one, and the launching thread never waits for a worker that took nothing: it only waits until
// as many indices are finished as were handed out.
//
// Workers without work spin for a few tens of microseconds, which covers the gap between two kernels of one program,
// then sleep on a futex. Spinning longer would steal the core from whoever else uses the machine.
#include "parallel.h"

#include <hast/status.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <new>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace hast {
namespace {

constexpr int32_t kMaxThreads = 1024;
constexpr int64_t kSpinNanoseconds = 40'000;
constexpr int64_t kMaxClaims = int64_t{1} << 30;
constexpr size_t kStackBytes = size_t{2} << 20;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Spins until ready() or for kSpinNanoseconds; answers whether it is ready.
template <class Ready>
bool spin_until(const Ready& ready) {
  const int64_t start = nanoseconds();
  do {
    for (int i = 0; i < 32; i++) {
      if (ready()) return true;
      relax();
    }
  } while (nanoseconds() - start < kSpinNanoseconds);
  return ready();
}

// The futex itself, not std::atomic::wait: that one brings a table of its own, shared by all libraries of the process.
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);

// Sleeps while word == value, or less.
void sleep_while(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(std::atomic<uint32_t>& word, int32_t sleepers) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, sleepers, nullptr, nullptr, 0);
}

struct Stream {
  // Each group of variables that is written by different threads at different times has its own cache line.
  alignas(64) std::atomic<uint64_t> claim{0};     // {epoch, next claim}
  alignas(64) std::atomic<uint32_t> finished{0};  // claims whose indices have all been run
  alignas(64) std::atomic<uint32_t> epoch{0};     // odd while a kernel is being published, even when it may be claimed
  std::atomic<int32_t> sleepers{0};
  std::atomic<bool> launcher_sleeps{false};
  std::atomic<bool> closing{false};
  // The kernel. Relaxed atomics: a late worker may read them while the next kernel is being published, and then loses
  // its compare-and-swap.
  std::atomic<Piece> piece{nullptr};
  std::atomic<const void*> body{nullptr};
  std::atomic<int64_t> count{0};  // indices
  std::atomic<int64_t> grain{1};  // indices per claim; 1 unless there are more than kMaxClaims
  std::atomic<uint32_t> claims{0};
  alignas(64) int32_t threads = 1;
  pthread_t* workers = nullptr;  // threads - 1
  cpu_set_t before;              // the launching thread's processors, to be given back
  pid_t pinned_launcher = 0;
};

constexpr uint64_t word(uint32_t epoch, uint32_t next) { return static_cast<uint64_t>(epoch) << 32 | next; }

// Claims and runs indices of the kernel published as `epoch` until none is left.
void take_part(Stream& s, uint32_t epoch) {
  uint32_t done = 0;
  uint64_t seen = s.claim.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(seen >> 32) == epoch) {
    const Piece piece = s.piece.load(std::memory_order_relaxed);
    const void* body = s.body.load(std::memory_order_relaxed);
    const int64_t count = s.count.load(std::memory_order_relaxed);
    const int64_t grain = s.grain.load(std::memory_order_relaxed);
    const uint32_t next = static_cast<uint32_t>(seen);
    if (next >= s.claims.load(std::memory_order_relaxed)) break;
    if (!s.claim.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    const int64_t begin = int64_t{next} * grain;
    const int64_t end = begin + grain < count ? begin + grain : count;
    for (int64_t i = begin; i < end; i++) piece(body, i);
    done++;
    seen = s.claim.load(std::memory_order_acquire);
  }
  if (done == 0) return;
  // From the last addition on, the launching thread may return; only the stream itself may be touched after it.
  s.finished.fetch_add(done);
  if (s.launcher_sleeps.load()) wake(s.finished, 1);
}

void* work(void* argument) {
  Stream& s = *static_cast<Stream*>(argument);
  uint32_t last = 0;
  while (true) {
    const auto published = [&] {
      const uint32_t epoch = s.epoch.load(std::memory_order_acquire);
      return (epoch != last && (epoch & 1) == 0) || s.closing.load(std::memory_order_relaxed);
    };
    if (!spin_until(published)) {
      s.sleepers.fetch_add(1);
      for (uint32_t now = s.epoch.load(); now == last || (now & 1) != 0; now = s.epoch.load()) {
        if (s.closing.load()) break;
        sleep_while(s.epoch, now);
      }
      s.sleepers.fetch_sub(1);
    }
    if (s.closing.load()) return nullptr;
    last = s.epoch.load(std::memory_order_acquire);
    if ((last & 1) == 0) take_part(s, last);
  }
}

// Whether a stream has the machine to itself: it may use every processor, and does. With fewer threads two streams of
// two processes would both take the lowest processors, and leave the rest of the machine idle.
constexpr bool uses_all(int64_t threads, int64_t allowed, int64_t online) {
  return threads == online && allowed == online;
}
static_assert(uses_all(2, 2, 2) && uses_all(64, 64, 64));
static_assert(!uses_all(2, 64, 64) && !uses_all(63, 64, 64));  // some threads on a large machine
static_assert(!uses_all(2, 2, 64));                            // all of what a scheduler or a container allows
static_assert(!uses_all(4, 2, 2) && !uses_all(65, 64, 64));    // more threads than processors

// Gives the launching thread and each worker a processor if that takes all of them. Left alone, a system often wakes a
// worker on the launching thread's processor and leaves it there for long.
void pin_threads(Stream& s) {
  if (sched_getaffinity(0, sizeof(s.before), &s.before) != 0) return;
  if (!uses_all(s.threads, CPU_COUNT(&s.before), sysconf(_SC_NPROCESSORS_ONLN))) return;
  int32_t thread = 0;
  for (int processor = 0; processor < CPU_SETSIZE && thread < s.threads; processor++) {
    if (!CPU_ISSET(processor, &s.before)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    if (thread == 0) {
      if (sched_setaffinity(0, sizeof(one), &one) != 0) return;
      s.pinned_launcher = gettid();
    } else {
      pthread_setaffinity_np(s.workers[thread - 1], sizeof(one), &one);
    }
    thread++;
  }
}

void unpin_launcher(const Stream& s) {
  if (s.pinned_launcher == gettid()) sched_setaffinity(0, sizeof(s.before), &s.before);
}

void join(Stream& s, int32_t started) {
  s.closing.store(true);
  s.epoch.fetch_add(2);
  wake(s.epoch, s.threads);
  for (int32_t i = 0; i < started; i++) pthread_join(s.workers[i], nullptr);
}

void release(Stream* s) {
  std::free(s->workers);
  s->~Stream();
  std::free(s);
}

}  // namespace

int32_t open_stream(void** stream, int32_t threads, bool pin) {
  if (stream == nullptr || threads < 1 || threads > kMaxThreads) return HAST_EARGUMENT;
  void* memory = std::aligned_alloc(alignof(Stream), sizeof(Stream));
  if (memory == nullptr) return HAST_EMEMORY;
  Stream* s = new (memory) Stream;
  s->threads = threads;
  s->workers = static_cast<pthread_t*>(std::calloc(static_cast<size_t>(threads), sizeof(pthread_t)));
  if (s->workers == nullptr) {
    release(s);
    return HAST_EMEMORY;
  }
  // Signals belong to the process that loads us (a JVM sends itself several); workers must not receive them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  int32_t started = 0;
  while (started < threads - 1) {
    if (pthread_create(&s->workers[started], &attributes, work, s) != 0) break;
    started++;
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started < threads - 1) {
    join(*s, started);
    release(s);
    return HAST_ETHREAD;
  }
  if (pin && threads > 1) pin_threads(*s);
  *stream = s;
  return HAST_OK;
}

void close_stream(void* stream) {
  Stream* s = static_cast<Stream*>(stream);
  join(*s, s->threads - 1);
  unpin_launcher(*s);
  release(s);
}

void run_pieces(void* stream, int64_t count, Piece piece, const void* body) {
  Stream& s = *static_cast<Stream*>(stream);
  if (count == 1 || s.threads == 1) {
    for (int64_t i = 0; i < count; i++) piece(body, i);
    return;
  }
  if (count <= 0) return;
  // Odd epoch: nobody can claim while the arguments change, and a claim with the old arguments fails from here on.
  const uint32_t publishing = s.epoch.load(std::memory_order_relaxed) + 1;
  s.epoch.store(publishing, std::memory_order_relaxed);
  s.claim.exchange(word(publishing, 0), std::memory_order_acq_rel);
  const int64_t grain = (count + kMaxClaims - 1) / kMaxClaims;
  const uint32_t claims = static_cast<uint32_t>((count + grain - 1) / grain);
  s.piece.store(piece, std::memory_order_relaxed);
  s.body.store(body, std::memory_order_relaxed);
  s.count.store(count, std::memory_order_relaxed);
  s.grain.store(grain, std::memory_order_relaxed);
  s.claims.store(claims, std::memory_order_relaxed);
  s.finished.store(0, std::memory_order_relaxed);
  const uint32_t epoch = publishing + 1;
  s.claim.store(word(epoch, 0), std::memory_order_release);
  s.epoch.store(epoch);  // sequentially consistent with sleepers: either we see the sleeper or it sees the epoch
  if (s.sleepers.load() > 0) wake(s.epoch, s.threads);

  take_part(s, epoch);
  const auto all = [&] { return s.finished.load(std::memory_order_acquire) == claims; };
  if (spin_until(all)) return;
  s.launcher_sleeps.store(true);
  for (uint32_t now = s.finished.load(); now != claims; now = s.finished.load()) sleep_while(s.finished, now);
  s.launcher_sleeps.store(false, std::memory_order_relaxed);
}

}  // namespace hast

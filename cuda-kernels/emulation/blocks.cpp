// Runs the blocks of a grid: a fiber per CUDA thread, an OS thread per running block.
#include "blocks.h"

#include <cuda_runtime.h>
#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "watch.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace hast::emulation {

thread_local Index index;

namespace {

constexpr int kMaxThreads = 1024;
constexpr int kWarp = 32;
constexpr size_t kStackBytes = size_t{256} << 10;

// ---- switching stacks ----

#if defined(__x86_64__)
struct Context {
  void* stack_pointer = nullptr;
};

extern "C" void hast_emulation_switch(void** from, void* to);
// The System V ABI preserves rbx, rbp and r12 to r15 across a call; the rest is the caller's business.
__asm__(
    ".text\n"
    ".hidden hast_emulation_switch\n"
    ".type hast_emulation_switch,@function\n"
    "hast_emulation_switch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size hast_emulation_switch, .-hast_emulation_switch\n");

void prepare(Context& context, char* stack, void (*entry)()) {
  void** top = reinterpret_cast<void**>(stack + kStackBytes - 64);
  *--top = nullptr;  // where entry would return to; keeps the stack aligned as after a call
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  context.stack_pointer = top;
}

void switch_to(Context& from, Context& to) { hast_emulation_switch(&from.stack_pointer, to.stack_pointer); }
#else
struct Context {
  ucontext_t state;
};

void prepare(Context& context, char* stack, void (*entry)()) {
  getcontext(&context.state);
  context.state.uc_stack.ss_sp = stack;
  context.state.uc_stack.ss_size = kStackBytes;
  context.state.uc_link = nullptr;
  makecontext(&context.state, entry, 0);
}

void switch_to(Context& from, Context& to) { swapcontext(&from.state, &to.state); }
#endif

// ---- one block ----

enum class State : uint8_t { kReady, kAtBarrier, kInWarp, kDone };

struct Warp {
  void* operands[kWarp];
  unsigned masks[kWarp];
  unsigned arrived, alive;
};

// A cp.async under way.
struct Copy {
  void* to;
  const void* from;  // null: zeros
  size_t bytes;
  const void* code;  // where the kernel started it
};

// What an OS thread needs to run blocks, one after the other.
class Runner {
 public:
  Runner() {
    stacks_ = static_cast<char*>(mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stacks_ == MAP_FAILED) std::abort();
  }
  ~Runner() {
    munmap(stacks_, kMaxThreads * kStackBytes);
    watch::release(dynamic_shared_);
  }

  void run(const Grid& grid, int64_t block);
  void barrier();
  void collective(unsigned mask, void* operand, Collective body);
  void start_copy(const Copy& copy);
  void finish_copies();
  int lane() const { return current_ % kWarp; }

 private:
  static void entry();
  void resume(int thread);
  void wait(State state);
  void finish();
  void release(int warp, unsigned lanes, Collective body);
  bool release_stragglers();
  [[noreturn]] void deadlock() const;

  char* stacks_ = nullptr;
  void* dynamic_shared_ = nullptr;
  size_t dynamic_shared_bytes_ = 0;
  const Grid* grid_ = nullptr;
  int threads_ = 0, current_ = 0, done_ = 0, waiting_ = 0;
  State states_[kMaxThreads];
  dim3 indices_[kMaxThreads];
  int fibers_[kMaxThreads];  // the fiber that runs a thread
  Context contexts_[kMaxThreads];
  bool prepared_[kMaxThreads] = {};
  Context scheduler_;
  Warp warps_[kMaxThreads / kWarp];
  std::vector<Copy> copies_[kMaxThreads];
};

thread_local std::unique_ptr<Runner> runner;

// A fiber runs one thread after another for as long as the process lives.
void Runner::entry() {
  for (;;) {
    runner->grid_->kernel();
    runner->finish();
  }
}

void Runner::finish() {
  states_[current_] = State::kDone;
  done_++;
  warps_[current_ / kWarp].alive &= ~(1u << (current_ % kWarp));
  switch_to(contexts_[fibers_[current_]], scheduler_);
  index.thread = indices_[current_];
}

void Runner::resume(int thread) {
  current_ = thread;
  watch::resumed(thread);
  index.thread = indices_[thread];
  switch_to(scheduler_, contexts_[fibers_[thread]]);
}

void Runner::wait(State state) {
  states_[current_] = state;
  switch_to(contexts_[fibers_[current_]], scheduler_);
  index.thread = indices_[current_];
}

void Runner::barrier() {
  waiting_++;
  wait(State::kAtBarrier);
}

// What the destination holds until the wait is as good as unknown.
void Runner::start_copy(const Copy& copy) {
  watch::copy_started(copy.to, copy.from, copy.bytes, copy.code);
  std::memset(copy.to, 0xff, copy.bytes);
  copies_[current_].push_back(copy);
}

void Runner::finish_copies() {
  for (const Copy& copy : copies_[current_]) {
    watch::copy_arrived(copy.to, copy.from, copy.bytes, copy.code);
    if (copy.from != nullptr) {
      std::memcpy(copy.to, copy.from, copy.bytes);
    } else {
      std::memset(copy.to, 0, copy.bytes);
    }
  }
  copies_[current_].clear();
}

void Runner::release(int warp, unsigned lanes, Collective body) {
  Warp& w = warps_[warp];
  void* operands[kWarp];
  for (int i = 0; i < kWarp; i++) operands[i] = (lanes >> i & 1) != 0 ? w.operands[i] : nullptr;
  for (int i = 0; i < kWarp; i++) {
    if ((lanes >> i & 1) == 0) continue;
    body(i, operands);
    states_[warp * kWarp + i] = State::kReady;
  }
  w.arrived &= ~lanes;
}

void Runner::collective(unsigned mask, void* operand, Collective body) {
  const int own = current_;
  Warp& w = warps_[own / kWarp];
  const int lane = own % kWarp;
  w.operands[lane] = operand;
  w.masks[lane] = mask;
  w.arrived |= 1u << lane;
  // Lanes of the mask that the block does not have, or that have returned, are not waited for.
  const unsigned needed = mask & w.alive;
  if ((w.arrived & needed) == needed) {
    release(own / kWarp, needed, body);
  } else {
    wait(State::kInWarp);
  }
}

void Runner::deadlock() const {
  std::fprintf(
      stderr,
      "emulated kernel: block (%u, %u, %u) is stuck: %d of %d threads wait at __syncthreads, %d have returned, "
      "the rest waits for lanes of its warp that do not come\n",
      index.block.x, index.block.y, index.block.z, waiting_, threads_, done_);
  std::abort();
}

void Runner::run(const Grid& grid, int64_t block) {
  grid_ = &grid;
  threads_ = static_cast<int>(grid.block.x * grid.block.y * grid.block.z);
  if (dynamic_shared_bytes_ < grid.shared_bytes) {
    watch::release(dynamic_shared_);
    dynamic_shared_bytes_ = grid.shared_bytes;
    dynamic_shared_ = watch::allocate(dynamic_shared_bytes_);
    if (dynamic_shared_ == nullptr) std::abort();
  }
  // As a float a NaN: what a kernel reads before it writes it does not go unnoticed.
  if (grid.shared_bytes > 0) std::memset(dynamic_shared_, 0xff, grid.shared_bytes);
  index.block_size = grid.block;
  index.grid_size = grid.blocks;
  index.dynamic_shared = dynamic_shared_;
  index.block =
      dim3(static_cast<unsigned>(block % grid.blocks.x), static_cast<unsigned>(block / grid.blocks.x % grid.blocks.y),
           static_cast<unsigned>(block / grid.blocks.x / grid.blocks.y));
  watch::begin_block(threads_,
                     {stacks_, kMaxThreads * kStackBytes, static_cast<char*>(dynamic_shared_), grid.shared_bytes});
  done_ = waiting_ = 0;
  for (int t = 0; t < threads_; t++) {
    const unsigned id = static_cast<unsigned>(t);
    indices_[t] = dim3(id % grid.block.x, id / grid.block.x % grid.block.y, id / grid.block.x / grid.block.y);
    states_[t] = State::kReady;
    fibers_[t] = t;
    copies_[t].clear();
    if (!prepared_[t]) {
      prepare(contexts_[t], stacks_ + static_cast<size_t>(t) * kStackBytes, entry);
      prepared_[t] = true;
    }
  }
  for (int w = 0; w * kWarp < threads_; w++) {
    const int lanes = min(kWarp, threads_ - w * kWarp);
    warps_[w].arrived = 0;
    warps_[w].alive = lanes == kWarp ? ~0u : (1u << lanes) - 1;
  }
  const bool backwards = block % 2 != 0;
  // Threads that never wait all run on the first fiber: its stack stays in the cache.
  int spare = -1;
  for (int k = 0; k < threads_; k++) {
    const int t = backwards ? threads_ - 1 - k : k;
    if (spare >= 0) std::swap(fibers_[t], fibers_[spare]);
    resume(t);
    spare = states_[t] == State::kDone ? t : -1;
  }
  while (done_ < threads_) {
    bool progress = false;
    for (int k = 0; k < threads_; k++) {
      const int t = backwards ? threads_ - 1 - k : k;
      if (states_[t] == State::kReady) {
        progress = true;
        resume(t);
      }
    }
    if (progress) continue;
    if (waiting_ > 0 && waiting_ + done_ == threads_) {
      waiting_ = 0;
      watch::barrier();
      for (int t = 0; t < threads_; t++) {
        if (states_[t] == State::kAtBarrier) states_[t] = State::kReady;
      }
    } else {
      deadlock();
    }
  }
}

// ---- OS threads ----

// Helpers wait for grids; the launching thread works too.
class Pool {
 public:
  Pool() {
    const unsigned processors = watch::kWatched ? 1 : std::thread::hardware_concurrency();
    for (unsigned i = 1; i < processors; i++) threads_.emplace_back([this] { serve(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool run(const Grid& grid) {
    std::lock_guard one_at_a_time(launching_);
    {
      std::lock_guard lock(mutex_);
      grid_ = &grid;
      next_ = 0;
      blocks_ = static_cast<int64_t>(grid.blocks.x) * grid.blocks.y * grid.blocks.z;
      generation_++;
      busy_ = threads_.size();
    }
    wake_.notify_all();
    watch::begin_grid();
    work();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return busy_ == 0; });
    return watch::end_grid();
  }

 private:
  void work() {
    if (runner == nullptr) runner = std::make_unique<Runner>();
    for (int64_t block; (block = next_.fetch_add(1)) < blocks_;) runner->run(*grid_, block);
  }

  void serve() {
    uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return closing_ || generation_ != seen; });
        if (closing_) return;
        seen = generation_;
      }
      work();
      {
        std::lock_guard lock(mutex_);
        busy_--;
      }
      idle_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  std::mutex launching_, mutex_;
  std::condition_variable wake_, idle_;
  const Grid* grid_ = nullptr;
  std::atomic<int64_t> next_ = 0;
  int64_t blocks_ = 0;
  uint64_t generation_ = 0;
  size_t busy_ = 0;
  bool closing_ = false;
};

}  // namespace

bool run_grid(const Grid& grid) {
  static Pool pool;
  return pool.run(grid);
}

void block_barrier() { runner->barrier(); }
void warp_collective(unsigned mask, void* operand, Collective body) { runner->collective(mask, operand, body); }
void start_copy(void* to, const void* from, int bytes, bool present) {
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % static_cast<unsigned>(bytes) != 0) {
    std::fprintf(stderr, "emulated kernel: an asynchronous copy of %d bytes from %p to %p is not aligned\n", bytes,
                 from, to);
    std::abort();
  }
  runner->start_copy({to, present ? from : nullptr, static_cast<size_t>(bytes), __builtin_return_address(0)});
}
void finish_copies() { runner->finish_copies(); }
int lane() { return runner->lane(); }

}  // namespace hast::emulation

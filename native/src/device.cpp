// The CPU as a device: its description, its memory, its streams.
//
// Linux grants more memory than it has and kills the process later, so an allocation is first held against
// MemAvailable and what control groups leave.
#include "portable/arguments/device.h"

#include <hast/device.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernel.h"
#include "memory_limits.h"

namespace hast {
namespace {

constexpr int64_t kAlignment = 256;
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kCopyPiece = int64_t{256} << 10;

// The value after "key:" on its line, in place; NULL when the line has another key.
const char* value_of(const char* line, const char* key) {
  const size_t length = std::strlen(key);
  if (std::strncmp(line, key, length) != 0) return nullptr;
  const char* colon = std::strchr(line + length, ':');
  if (colon == nullptr) return nullptr;
  for (colon++; *colon == ' ' || *colon == '\t'; colon++) {
  }
  return colon;
}

bool read_memory(Memory& memory) {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return false;
  char line[256];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (const char* v = value_of(line, "MemAvailable")) memory.available = std::atoll(v) * 1024;
    if (const char* v = value_of(line, "MemTotal")) memory.total = std::atoll(v) * 1024;
  }
  std::fclose(file);
  limit_memory(memory, GroupTree());
  return memory.total > 0;
}

void read_model(char* text, size_t bytes) {
  std::snprintf(text, bytes, "unknown CPU");
  std::FILE* file = std::fopen("/proc/cpuinfo", "re");
  if (file == nullptr) return;
  char line[256];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (const char* v = value_of(line, "model name")) {
      std::snprintf(text, bytes, "%s", v);
      text[std::strcspn(text, "\n")] = '\0';
      break;
    }
  }
  std::fclose(file);
}

// What HAST_CLONES lets the loader pick.
const char* instruction_set() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return "AVX-512 (x86-64-v4)";
  if (__builtin_cpu_supports("x86-64-v3")) return "AVX2 + FMA (x86-64-v3)";
  return "SSE2 (x86-64)";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "generic";
#endif
}

// A launch has run when it returns, so an event has passed as soon as it is recorded.
struct Event {
  std::chrono::steady_clock::time_point time;
};

void copy(void* destination, const void* source, int64_t bytes, void* stream) {
  parallel_for(stream, ceil_div(bytes, kCopyPiece), [&](int64_t piece) {
    const int64_t begin = piece * kCopyPiece;
    std::memcpy(static_cast<char*>(destination) + begin, static_cast<const char*>(source) + begin,
                static_cast<size_t>(smaller(kCopyPiece, bytes - begin)));
  });
}

}  // namespace
}  // namespace hast

using namespace hast;

int32_t hast_device_count(int32_t* count) noexcept {
  if (count == nullptr) return HAST_EARGUMENT;
  *count = 1;
  return HAST_OK;
}

int32_t hast_device_describe(char* text, int64_t text_bytes, int32_t ordinal) noexcept {
  if (!valid::device_describe(text, text_bytes)) return HAST_EARGUMENT;
  if (ordinal != 0) return HAST_EDEVICE;
  char model[200];
  read_model(model, sizeof(model));
  Memory memory;
  read_memory(memory);
  std::snprintf(text, static_cast<size_t>(text_bytes), "%s, %ld cores, %.1f GiB, %s", model,
                sysconf(_SC_NPROCESSORS_ONLN), static_cast<double>(memory.total) / (1024.0 * 1024.0 * 1024.0),
                instruction_set());
  return HAST_OK;
}

int32_t hast_device_memory(int64_t* free_bytes, int64_t* total_bytes, int32_t ordinal) noexcept {
  if (any_null(free_bytes, total_bytes)) return HAST_EARGUMENT;
  Memory memory;
  if (ordinal != 0 || !read_memory(memory)) return HAST_EDEVICE;
  *free_bytes = memory.available;
  *total_bytes = memory.total;
  return HAST_OK;
}

int32_t hast_stream_create(void** stream, int32_t ordinal, int32_t threads, int32_t pin) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  if (ordinal != 0) return HAST_EDEVICE;
  return open_stream(stream, threads, pin != 0);
}

int32_t hast_stream_destroy(void* stream) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  close_stream(stream);
  return HAST_OK;
}

int32_t hast_stream_math(void* stream, int32_t math) noexcept {
  return valid::stream_math(stream, math) ? HAST_OK : HAST_EARGUMENT;
}

int32_t hast_stream_native(void** native_stream, void* stream) noexcept {
  if (any_null(native_stream, stream)) return HAST_EARGUMENT;
  *native_stream = nullptr;
  return HAST_OK;
}

int32_t hast_stream_synchronize(void* stream) noexcept { return stream == nullptr ? HAST_EARGUMENT : HAST_OK; }

int32_t hast_memory_allocate(void** address, int64_t bytes, int32_t ordinal) noexcept {
  if (!valid::allocate(address, bytes)) return HAST_EARGUMENT;
  if (ordinal != 0) return HAST_EDEVICE;
  Memory memory;
  if (read_memory(memory) && bytes > memory.available) return HAST_EMEMORY;
  // Slabs are walked by every kernel of a step: huge pages spare them most TLB misses.
  const int64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  void* allocated =
      std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(ceil_div(bytes, alignment) * alignment));
  if (allocated == nullptr) return HAST_EMEMORY;
#if defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(allocated, static_cast<size_t>(bytes / kHugePage * kHugePage), MADV_HUGEPAGE);
#endif
  *address = allocated;
  return HAST_OK;
}

int32_t hast_memory_free(void* address, int32_t ordinal) noexcept {
  if (address == nullptr) return HAST_EARGUMENT;
  if (ordinal != 0) return HAST_EDEVICE;
  std::free(address);
  return HAST_OK;
}

int32_t hast_memory_upload(void* device, const void* host, int64_t bytes, void* stream) noexcept {
  if (!valid::copy(device, host, bytes, stream)) return HAST_EARGUMENT;
  copy(device, host, bytes, stream);
  return HAST_OK;
}

int32_t hast_memory_download(void* host, const void* device, int64_t bytes, void* stream) noexcept {
  return hast_memory_upload(host, device, bytes, stream);
}

int32_t hast_memory_copy(void* destination, const void* source, int64_t bytes, void* stream) noexcept {
  return hast_memory_upload(destination, source, bytes, stream);
}

int32_t hast_host_allocate(void** address, int64_t bytes) noexcept {
  if (!valid::allocate(address, bytes)) return HAST_EARGUMENT;
  *address = std::aligned_alloc(static_cast<size_t>(kAlignment),
                                static_cast<size_t>(ceil_div(bytes, kAlignment) * kAlignment));
  return *address == nullptr ? HAST_EMEMORY : HAST_OK;
}

int32_t hast_host_free(void* address) noexcept {
  if (address == nullptr) return HAST_EARGUMENT;
  std::free(address);
  return HAST_OK;
}

int32_t hast_memory_download_async(void* host, const void* device, int64_t bytes, void* stream) noexcept {
  return hast_memory_upload(host, device, bytes, stream);
}

int32_t hast_event_create(void** event, int32_t ordinal) noexcept {
  if (event == nullptr) return HAST_EARGUMENT;
  if (ordinal != 0) return HAST_EDEVICE;
  *event = new (std::nothrow) Event();
  return *event == nullptr ? HAST_EMEMORY : HAST_OK;
}

int32_t hast_event_destroy(void* event) noexcept {
  if (event == nullptr) return HAST_EARGUMENT;
  delete static_cast<Event*>(event);
  return HAST_OK;
}

int32_t hast_event_record(void* event, void* stream) noexcept {
  if (any_null(event, stream)) return HAST_EARGUMENT;
  static_cast<Event*>(event)->time = std::chrono::steady_clock::now();
  return HAST_OK;
}

int32_t hast_stream_wait(void* stream, void* event) noexcept {
  return any_null(event, stream) ? HAST_EARGUMENT : HAST_OK;
}

int32_t hast_event_query(int32_t* done, void* event) noexcept {
  if (any_null(done, event)) return HAST_EARGUMENT;
  *done = 1;
  return HAST_OK;
}

int32_t hast_event_elapsed(float* milliseconds, void* start, void* stop) noexcept {
  if (any_null(milliseconds, start, stop)) return HAST_EARGUMENT;
  *milliseconds =
      std::chrono::duration<float, std::milli>(static_cast<Event*>(stop)->time - static_cast<Event*>(start)->time)
          .count();
  return HAST_OK;
}

int32_t hast_capture_begin(void*) noexcept { return HAST_EUNSUPPORTED; }
int32_t hast_capture_end(void**, int64_t*, void*) noexcept { return HAST_EUNSUPPORTED; }
int32_t hast_graph_launch(void*, void*) noexcept { return HAST_EUNSUPPORTED; }
int32_t hast_graph_destroy(void*) noexcept { return HAST_EUNSUPPORTED; }

// The runtime API of the emulated device: memory is the host's, a stream runs a launch at once, and a capture notes
// launches with what they depend on.
#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "blocks.h"
#include "stream.h"
#include "watch.h"

using hast::emulation::Grid;

struct CUgraph_st {
  struct Node {
    std::function<cudaError_t()> run;
    std::set<size_t> dependencies;
  };
  std::vector<Node> nodes;
};

struct CUgraphExec_st {
  CUgraph_st graph;
};

namespace {

struct Stream final : CUstream_st {
  void enqueue(std::function<void()> run) override;
  cudaError_t submit(std::function<cudaError_t()> run);  // as enqueue
  bool holds(const void* address, size_t bytes) const override;

  CUgraph_st* capture = nullptr;
  int device = 0;            // that was current when it was created
  Stream* origin = nullptr;  // the stream whose capture this one has joined
  cudaError_t failure = cudaSuccess;
  std::set<size_t> frontier;    // nodes that the next one depends on
  std::vector<Stream*> joined;  // of an origin: the streams that have joined
};

Stream* of(cudaStream_t stream) { return static_cast<Stream*>(stream); }

}  // namespace

struct CUevent_st {
  Stream* origin = nullptr;
  std::set<size_t> nodes;
  std::chrono::steady_clock::time_point time;
};

namespace {

// Two, so that it shows whether what belongs to one goes there.
constexpr int kDevices = 2;
constexpr size_t kDeviceBytes = size_t{4} << 30;
// Shared memory of a block: what every kernel has, and what it may be allowed (compute capability 8.6 and 8.9).
constexpr size_t kSharedBytes = size_t{48} << 10, kMostSharedBytes = size_t{99} << 10;

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;

// Remembers an error as the runtime does, for cudaGetLastError.
cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

struct Allocation {
  size_t bytes;
  int device;
};

struct Allocations {
  std::mutex mutex;
  std::map<void*, Allocation> live;
  size_t held[kDevices] = {};
};
Allocations& allocations() {
  static Allocations all;
  return all;
}

struct SharedLimits {
  std::mutex mutex;
  std::map<const void*, size_t> bytes;
};
SharedLimits& shared_limits() {
  static SharedLimits all;
  return all;
}

cudaError_t check(const void* kernel, dim3 grid, dim3 block, size_t shared_bytes) {
  constexpr unsigned kMostX = 0x7fffffff, kMostYZ = 65535, kMostThreads = 1024, kMostDeep = 64;
  const auto within = [](unsigned size, unsigned most) { return size >= 1 && size <= most; };
  if (!within(grid.x, kMostX) || !within(grid.y, kMostYZ) || !within(grid.z, kMostYZ) ||
      !within(block.x, kMostThreads) || !within(block.y, kMostThreads) || !within(block.z, kMostDeep) ||
      size_t{block.x} * block.y * block.z > kMostThreads) {
    return cudaErrorInvalidConfiguration;
  }
  SharedLimits& limits = shared_limits();
  std::lock_guard lock(limits.mutex);
  const auto allowed = limits.bytes.find(kernel);
  const size_t most = allowed == limits.bytes.end() ? kSharedBytes : max(allowed->second, kSharedBytes);
  return shared_bytes > most ? cudaErrorInvalidValue : cudaSuccess;
}

void Stream::enqueue(std::function<void()> run) {
  submit([run = std::move(run)] {
    run();
    return cudaSuccess;
  });
}

cudaError_t Stream::submit(std::function<cudaError_t()> run) {
  if (capture == nullptr) {
    const cudaError_t earlier = std::exchange(failure, cudaSuccess);
    if (earlier == cudaSuccess) failure = run();
    return noted(earlier);
  }
  capture->nodes.push_back({std::move(run), frontier});
  frontier = {capture->nodes.size() - 1};
  return cudaSuccess;
}

bool Stream::holds(const void* address, size_t bytes) const {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  auto after = all.live.upper_bound(const_cast<void*>(address));
  if (after == all.live.begin()) return false;
  const auto& [start, allocation] = *--after;
  const size_t size = allocation.bytes;
  const size_t offset = static_cast<size_t>(static_cast<const char*>(address) - static_cast<char*>(start));
  return offset <= size && bytes <= size - offset;
}

cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> run) {
  return stream == nullptr ? noted(cudaErrorInvalidValue) : of(stream)->submit(std::move(run));
}

// Of the nodes that may run next, always the one noted last: far from the order of capture.
cudaError_t replay(const CUgraph_st& graph) {
  cudaError_t result = cudaSuccess;
  std::vector<size_t> missing(graph.nodes.size());
  std::vector<std::vector<size_t>> followers(graph.nodes.size());
  std::set<size_t> ready;
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    missing[i] = graph.nodes[i].dependencies.size();
    for (size_t dependency : graph.nodes[i].dependencies) followers[dependency].push_back(i);
    if (missing[i] == 0) ready.insert(i);
  }
  while (!ready.empty()) {
    const size_t next = *ready.rbegin();
    ready.erase(next);
    const cudaError_t error = graph.nodes[next].run();
    if (error != cudaSuccess) result = error;
    for (size_t follower : followers[next]) {
      if (--missing[follower] == 0) ready.insert(follower);
    }
  }
  return result;
}

}  // namespace

void hast::emulation::launch(void* stream, const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
                             std::function<void()> call) {
  if (noted(check(kernel, grid, block, shared_bytes)) != cudaSuccess) return;
  const auto on = static_cast<cudaStream_t>(stream);
  if (on != nullptr && of(on)->device != current_device) {
    noted(cudaErrorInvalidResourceHandle);
    return;
  }
  enqueue(on, [job = Grid{grid, block, shared_bytes, std::move(call)}] {
    return run_grid(job) ? cudaSuccess : cudaErrorLaunchFailure;
  });
}

cudaError_t hast_emulation_allow_shared(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > kMostSharedBytes) return noted(cudaErrorInvalidValue);
  SharedLimits& limits = shared_limits();
  std::lock_guard lock(limits.mutex);
  limits.bytes[kernel] = static_cast<size_t>(bytes);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorLaunchFailure:
      return "a race or a stray access in a kernel; the error output says where";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    default:
      return "error of the emulated device";
  }
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return noted(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= kDevices) return noted(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof(properties->name), "emulated device %d", device);
  properties->totalGlobalMem = kDeviceBytes;
  properties->sharedMemPerBlockOptin = kMostSharedBytes;
  properties->major = 8;
  properties->minor = 6;
  // Few, because every block costs as much as all of its threads together.
  properties->multiProcessorCount = 2;
  properties->l2CacheSize = 1 << 20;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  std::lock_guard lock(allocations().mutex);
  *available = kDeviceBytes - allocations().held[current_device];
  *total = kDeviceBytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** address, size_t bytes) {
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  if (bytes > kDeviceBytes - all.held[current_device]) return noted(cudaErrorMemoryAllocation);
  *address = hast::emulation::watch::allocate(bytes);
  if (*address == nullptr) return noted(cudaErrorMemoryAllocation);
  // As a float a NaN.
  std::memset(*address, 0xff, bytes);
  all.live[*address] = {bytes, current_device};
  all.held[current_device] += bytes;
  hast::emulation::watch::allocated(*address, bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  if (address == nullptr) return cudaSuccess;
  Allocations& all = allocations();
  std::lock_guard lock(all.mutex);
  const auto found = all.live.find(address);
  if (found == all.live.end()) return noted(cudaErrorInvalidValue);
  all.held[found->second.device] -= found->second.bytes;
  hast::emulation::watch::freed(address);
  all.live.erase(found);
  hast::emulation::watch::release(address);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** address, size_t bytes, unsigned) {
  *address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return *address == nullptr ? noted(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFreeHost(void* address) {
  std::free(address);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return enqueue(stream, [=] {
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  });
}
cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t stream) {
  return enqueue(stream, [=] {
    std::memset(address, value, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  Stream* created = new Stream();
  created->device = current_device;
  *stream = created;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t failure = of(stream)->failure;
  delete of(stream);
  return noted(failure);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (of(stream)->capture != nullptr) return noted(cudaErrorStreamCaptureUnsupported);
  return noted(std::exchange(of(stream)->failure, cudaSuccess));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  if (event->origin == nullptr) return cudaSuccess;
  Stream* stream = of(handle);
  if (stream->capture == nullptr) {
    stream->origin = event->origin;
    stream->capture = event->origin->capture;
    event->origin->joined.push_back(stream);
  }
  stream->frontier.insert(event->nodes.begin(), event->nodes.end());
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  Stream* stream = of(handle);
  if (stream->capture != nullptr) return noted(cudaErrorStreamCaptureUnsupported);
  stream->capture = new CUgraph_st();
  stream->origin = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  Stream* stream = of(handle);
  if (stream->capture == nullptr || stream->origin != stream) return noted(cudaErrorStreamCaptureUnsupported);
  // Every node must lead to the frontier of the origin.
  std::vector<bool> reached(stream->capture->nodes.size());
  std::vector<size_t> open(stream->frontier.begin(), stream->frontier.end());
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (reached[node]) continue;
    reached[node] = true;
    for (size_t dependency : stream->capture->nodes[node].dependencies) open.push_back(dependency);
  }
  bool unjoined = false;
  for (bool r : reached) unjoined |= !r;
  *graph = std::exchange(stream->capture, nullptr);
  for (Stream* other : stream->joined) {
    other->capture = nullptr;
    other->origin = nullptr;
    other->frontier.clear();
  }
  stream->joined.clear();
  stream->origin = nullptr;
  stream->frontier.clear();
  if (unjoined) {
    delete std::exchange(*graph, nullptr);
    return noted(cudaErrorStreamCaptureUnjoined);
  }
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->origin = of(stream)->origin;
  event->nodes = of(stream)->frontier;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  *milliseconds = std::chrono::duration<float, std::milli>(stop->time - start->time).count();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (nodes != nullptr) return noted(cudaErrorInvalidValue);
  *count = graph->nodes.size();
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return enqueue(stream, [executable] { return replay(executable->graph); });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

// The GPU as a device: its description, memory, streams, events, captured graphs.
#include <hast/device.h>

#include <cstdio>
#include <new>

#include "kernel.cuh"
#include "portable/arguments/device.h"

using namespace hast;

namespace {

constexpr int kOldestMajor = 8;
constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Answers HAST_EDEVICE for an ordinal the machine does not have.
int32_t properties_of(cudaDeviceProp& properties, int32_t ordinal) {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && (ordinal < 0 || ordinal >= count)) return HAST_EDEVICE;
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, ordinal);
  return status_of(error);
}

// Selects the device for the calling thread.
int32_t select(int32_t ordinal) {
  const int32_t status = status_of(cudaSetDevice(ordinal));
  return status == cudaErrorInvalidDevice ? HAST_EDEVICE : status;
}

}  // namespace

int32_t hast_device_count(int32_t* count) noexcept {
  if (count == nullptr) return HAST_EARGUMENT;
  const cudaError_t error = cudaGetDeviceCount(count);
  if (error == cudaErrorNoDevice) *count = 0;
  const int32_t status = status_of(error);
  return error == cudaErrorNoDevice ? HAST_OK : status;
}

int32_t hast_device_describe(char* text, int64_t text_bytes, int32_t ordinal) noexcept {
  if (!valid::device_describe(text, text_bytes)) return HAST_EARGUMENT;
  cudaDeviceProp properties;
  const int32_t status = properties_of(properties, ordinal);
  if (status != HAST_OK) return status;
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  std::snprintf(text, static_cast<size_t>(text_bytes),
                "%s, compute capability %d.%d%s, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d, built with CUDA "
                "%d.%d",
                properties.name, properties.major, properties.minor,
                properties.major < kOldestMajor ? " (too old: 8.0 is needed)" : "", properties.multiProcessorCount,
                static_cast<double>(properties.totalGlobalMem) / kGiB, driver / 1000, driver % 1000 / 10,
                runtime / 1000, runtime % 1000 / 10);
  return HAST_OK;
}

int32_t hast_device_memory(int64_t* free_bytes, int64_t* total_bytes, int32_t ordinal) noexcept {
  if (any_null(free_bytes, total_bytes)) return HAST_EARGUMENT;
  const int32_t status = select(ordinal);
  if (status != HAST_OK) return status;
  size_t available = 0, total = 0;
  const cudaError_t error = cudaMemGetInfo(&available, &total);
  *free_bytes = static_cast<int64_t>(available);
  *total_bytes = static_cast<int64_t>(total);
  return status_of(error);
}

int32_t hast_stream_create(void** stream, int32_t ordinal, int32_t, int32_t) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  cudaDeviceProp properties;
  int32_t status = properties_of(properties, ordinal);
  if (status != HAST_OK) return status;
  if (properties.major < kOldestMajor) return HAST_ECAPABILITY;
  status = select(ordinal);
  if (status != HAST_OK) return status;
  Stream* created = new (std::nothrow) Stream{nullptr,
                                              nullptr,
                                              ordinal,
                                              properties.multiProcessorCount,
                                              static_cast<int32_t>(properties.sharedMemPerBlockOptin),
                                              HAST_MATH_FP32};
  if (created == nullptr) return HAST_EMEMORY;
  cudaError_t error = cudaStreamCreateWithFlags(&created->handle, cudaStreamNonBlocking);
  void* tickets = nullptr;
  if (error == cudaSuccess) error = cudaMalloc(&tickets, kTickets * sizeof(unsigned));
  created->tickets = static_cast<unsigned*>(tickets);
  if (error == cudaSuccess) error = cudaMemsetAsync(tickets, 0, kTickets * sizeof(unsigned), created->handle);
  // A captured graph is launched on another stream than some of its kernels were noted on.
  if (error == cudaSuccess) error = cudaStreamSynchronize(created->handle);
  if (error != cudaSuccess) {
    hast_stream_destroy(created);
    return status_of(error);
  }
  *stream = created;
  return HAST_OK;
}

int32_t hast_stream_destroy(void* stream) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  Stream& s = stream_of(stream);
  const cudaError_t freed = s.tickets == nullptr ? cudaSuccess : cudaFree(s.tickets);
  const cudaError_t destroyed = s.handle == nullptr ? cudaSuccess : cudaStreamDestroy(s.handle);
  delete &s;
  return status_of(freed != cudaSuccess ? freed : destroyed);
}

int32_t hast_stream_math(void* stream, int32_t math) noexcept {
  if (!valid::stream_math(stream, math)) return HAST_EARGUMENT;
  stream_of(stream).math = math;
  return HAST_OK;
}

int32_t hast_stream_native(void** native_stream, void* stream) noexcept {
  if (any_null(native_stream, stream)) return HAST_EARGUMENT;
  *native_stream = stream_of(stream).handle;
  return HAST_OK;
}

int32_t hast_stream_synchronize(void* stream) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  return status_of(cudaStreamSynchronize(stream_of(stream).handle));
}

int32_t hast_memory_allocate(void** address, int64_t bytes, int32_t ordinal) noexcept {
  if (!valid::allocate(address, bytes)) return HAST_EARGUMENT;
  const int32_t status = select(ordinal);
  if (status != HAST_OK) return status;
  return status_of(cudaMalloc(address, static_cast<size_t>(bytes)));
}

int32_t hast_memory_free(void* address, int32_t ordinal) noexcept {
  if (address == nullptr) return HAST_EARGUMENT;
  const int32_t status = select(ordinal);
  return status != HAST_OK ? status : status_of(cudaFree(address));
}

int32_t hast_memory_upload(void* device, const void* host, int64_t bytes, void* stream) noexcept {
  if (!valid::copy(device, host, bytes, stream)) return HAST_EARGUMENT;
  const int32_t status = status_of(
      cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_of(stream).handle));
  // The runtime need not have taken pageable memory over when it returns: a device that can read it does so later.
  return status != HAST_OK ? status : hast_stream_synchronize(stream);
}

int32_t hast_memory_download(void* host, const void* device, int64_t bytes, void* stream) noexcept {
  const int32_t status = hast_memory_download_async(host, device, bytes, stream);
  return status != HAST_OK ? status : hast_stream_synchronize(stream);
}

int32_t hast_memory_copy(void* destination, const void* source, int64_t bytes, void* stream) noexcept {
  if (!valid::copy(destination, source, bytes, stream)) return HAST_EARGUMENT;
  return status_of(cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                                   stream_of(stream).handle));
}

int32_t hast_host_allocate(void** address, int64_t bytes) noexcept {
  if (!valid::allocate(address, bytes)) return HAST_EARGUMENT;
  return status_of(cudaHostAlloc(address, static_cast<size_t>(bytes), cudaHostAllocDefault));
}

int32_t hast_host_free(void* address) noexcept {
  return address == nullptr ? HAST_EARGUMENT : status_of(cudaFreeHost(address));
}

int32_t hast_memory_download_async(void* host, const void* device, int64_t bytes, void* stream) noexcept {
  if (!valid::copy(host, device, bytes, stream)) return HAST_EARGUMENT;
  return status_of(
      cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream_of(stream).handle));
}

int32_t hast_event_create(void** event, int32_t ordinal) noexcept {
  if (event == nullptr) return HAST_EARGUMENT;
  const int32_t status = select(ordinal);
  if (status != HAST_OK) return status;
  return status_of(cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(event), cudaEventDefault));
}

int32_t hast_event_destroy(void* event) noexcept {
  return event == nullptr ? HAST_EARGUMENT : status_of(cudaEventDestroy(static_cast<cudaEvent_t>(event)));
}

int32_t hast_event_record(void* event, void* stream) noexcept {
  if (any_null(event, stream)) return HAST_EARGUMENT;
  return status_of(cudaEventRecord(static_cast<cudaEvent_t>(event), stream_of(stream).handle));
}

int32_t hast_stream_wait(void* stream, void* event) noexcept {
  if (any_null(event, stream)) return HAST_EARGUMENT;
  return status_of(cudaStreamWaitEvent(stream_of(stream).handle, static_cast<cudaEvent_t>(event), 0));
}

int32_t hast_event_query(int32_t* done, void* event) noexcept {
  if (any_null(done, event)) return HAST_EARGUMENT;
  const int32_t status = status_of(cudaEventQuery(static_cast<cudaEvent_t>(event)));
  *done = status == HAST_OK ? 1 : 0;
  return status == cudaErrorNotReady ? HAST_OK : status;
}

int32_t hast_event_elapsed(float* milliseconds, void* start, void* stop) noexcept {
  if (any_null(milliseconds, start, stop)) return HAST_EARGUMENT;
  return status_of(cudaEventElapsedTime(milliseconds, static_cast<cudaEvent_t>(start), static_cast<cudaEvent_t>(stop)));
}

int32_t hast_capture_begin(void* stream) noexcept {
  if (stream == nullptr) return HAST_EARGUMENT;
  // Relaxed: a kernel's code may be loaded when it is first launched, also in a capture.
  return status_of(cudaStreamBeginCapture(stream_of(stream).handle, cudaStreamCaptureModeRelaxed));
}

int32_t hast_capture_end(void** graph, int64_t* nodes, void* stream) noexcept {
  if (any_null(graph, nodes, stream)) return HAST_EARGUMENT;
  cudaGraph_t captured = nullptr;
  cudaError_t error = cudaStreamEndCapture(stream_of(stream).handle, &captured);
  if (error != cudaSuccess) return status_of(error);
  size_t count = 0;
  error = cudaGraphGetNodes(captured, nullptr, &count);
  *nodes = static_cast<int64_t>(count);
  cudaGraphExec_t executable = nullptr;
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, captured, 0);
  cudaGraphDestroy(captured);
  *graph = executable;
  return status_of(error);
}

int32_t hast_graph_launch(void* graph, void* stream) noexcept {
  if (any_null(graph, stream)) return HAST_EARGUMENT;
  return status_of(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream).handle));
}

int32_t hast_graph_destroy(void* graph) noexcept {
  return graph == nullptr ? HAST_EARGUMENT : status_of(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)));
}

/* Devices, memory and streams. Part of the C ABI; include <hast/hast.h>. */
#ifndef HAST_DEVICE_H
#define HAST_DEVICE_H

#include <hast/status.h>

/* Number of devices this library can drive; the CPU library answers 1. */
HAST_API int32_t hast_device_count(HAST_RESULT int32_t* count) HAST_NOEXCEPT;

/* One line for people: model, cores or compute capability, memory, the instruction set the kernels will use.
 * Writes at most text_bytes bytes, always terminated. */
HAST_API int32_t hast_device_describe(HAST_HEAP char* text, int64_t text_bytes, int32_t ordinal) HAST_NOEXCEPT;

/* Bytes free and bytes installed on the device; on the CPU at most what the process's control groups allow. */
HAST_API int32_t hast_device_memory(HAST_RESULT int64_t* free_bytes, HAST_RESULT int64_t* total_bytes,
                                    int32_t ordinal) HAST_NOEXCEPT;

/* A stream runs kernels in the order of their launch. On the CPU it owns `threads` workers, the launching thread
 * counted among them, and a launch returns when the kernel has finished; results do not depend on `threads`.
 * With pin = 1 the calling thread and each worker stay on a processor of their own until the stream is destroyed, where
 * they are as many as the machine has processors and may use all of them; it keeps the system from putting two of them
 * on one. Fewer threads go where the system puts them: there they do not meet another process's on the same processors.
 * On a GPU `threads` and `pin` are ignored. One thread at a time may use a stream. */
HAST_API int32_t hast_stream_create(HAST_RESULT void** stream, int32_t ordinal, int32_t threads,
                                    int32_t pin) HAST_NOEXCEPT;
HAST_API int32_t hast_stream_destroy(void* stream) HAST_NOEXCEPT;

/* What convolutions and matrix products launched on a stream may do with their factors; sums are float32 either way.
 * A stream starts with HAST_MATH_FP32. The CPU library always computes in float32. */
#define HAST_MATH_FP32 0 /* factors as they are */
#define HAST_MATH_TF32 1 /* factors rounded to 10 bits of mantissa where tensor cores are faster */
HAST_API int32_t hast_stream_math(void* stream, int32_t math) HAST_NOEXCEPT;

/* The stream as the device's own runtime knows it, for libraries beside this one: the cudaStream_t of a GPU; NULL where
 * there is none, on the CPU. */
HAST_API int32_t hast_stream_native(HAST_RESULT void** native_stream, void* stream) HAST_NOEXCEPT;

/* Waits for everything launched before; returns the first error of those launches. */
HAST_API int32_t hast_stream_synchronize(void* stream) HAST_NOEXCEPT;

/* Device memory, aligned to 256 bytes, not cleared. */
HAST_API int32_t hast_memory_allocate(HAST_RESULT void** address, int64_t bytes, int32_t ordinal) HAST_NOEXCEPT;
HAST_API int32_t hast_memory_free(void* address, int32_t ordinal) HAST_NOEXCEPT;

/* Host to device and device to host; return when the host memory may be reused or read. */
HAST_API int32_t hast_memory_upload(void* device, HAST_HEAP const void* host, int64_t bytes,
                                    void* stream) HAST_NOEXCEPT;
HAST_API int32_t hast_memory_download(HAST_HEAP void* host, const void* device, int64_t bytes,
                                      void* stream) HAST_NOEXCEPT;

/* Device to device, in stream order; the ranges must not overlap. Capture-safe. */
HAST_API int32_t hast_memory_copy(void* destination, const void* source, int64_t bytes, void* stream) HAST_NOEXCEPT;

/* Host memory that a device can copy to while the host goes on. */
HAST_API int32_t hast_host_allocate(HAST_RESULT void** address, int64_t bytes) HAST_NOEXCEPT;
HAST_API int32_t hast_host_free(void* address) HAST_NOEXCEPT;

/* Device to host memory of hast_host_allocate, in stream order; returns at once. An event recorded behind it tells when
 * the host may read. */
HAST_API int32_t hast_memory_download_async(void* host, const void* device, int64_t bytes, void* stream) HAST_NOEXCEPT;

/* Events mark a point in a stream. A stream that waits runs nothing further before that point is reached; nothing on
 * the host waits. In a capture, record and wait fork another stream into the capture and join it again. */
HAST_API int32_t hast_event_create(HAST_RESULT void** event, int32_t ordinal) HAST_NOEXCEPT;
HAST_API int32_t hast_event_destroy(void* event) HAST_NOEXCEPT;
HAST_API int32_t hast_event_record(void* event, void* stream) HAST_NOEXCEPT;
HAST_API int32_t hast_stream_wait(void* stream, void* event) HAST_NOEXCEPT;

/* done = 1 once the device has passed the event's last record, else 0. */
HAST_API int32_t hast_event_query(HAST_RESULT int32_t* done, void* event) HAST_NOEXCEPT;

/* Device time between two records that have been passed. */
HAST_API int32_t hast_event_elapsed(HAST_RESULT float* milliseconds, void* start, void* stop) HAST_NOEXCEPT;

/* Between begin and end launches on the stream, and on streams that forked from it and have joined it again, are noted
 * instead of run. The graph they make is launched as a whole, with the addresses and attributes noted; `nodes` is the
 * number of kernels and copies in it. The CPU library answers HAST_EUNSUPPORTED: its launches have nothing to gain. */
HAST_API int32_t hast_capture_begin(void* stream) HAST_NOEXCEPT;
HAST_API int32_t hast_capture_end(HAST_RESULT void** graph, HAST_RESULT int64_t* nodes, void* stream) HAST_NOEXCEPT;
HAST_API int32_t hast_graph_launch(void* graph, void* stream) HAST_NOEXCEPT;
HAST_API int32_t hast_graph_destroy(void* graph) HAST_NOEXCEPT;

#endif

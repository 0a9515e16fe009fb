// A stream of the emulated device, as the libraries that stand in for NVIDIA's beside it see it.
#ifndef HAST_EMULATION_STREAM_H
#define HAST_EMULATION_STREAM_H

#include <cstddef>
#include <functional>

struct CUstream_st {
  // Runs now, or notes it in the stream's capture.
  virtual void enqueue(std::function<void()> run) = 0;
  // Whether one allocation of the device's memory holds so many bytes from an address on.
  virtual bool holds(const void* address, size_t bytes) const = 0;

 protected:
  ~CUstream_st() = default;
};

#endif

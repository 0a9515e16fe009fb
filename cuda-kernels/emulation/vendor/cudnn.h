// The part of cuDNN 9's interface that hast4j calls, declared from its documentation.
#ifndef HAST_EMULATION_CUDNN_H
#define HAST_EMULATION_CUDNN_H

#include "stand_in.h"

using cudnnStatus_t = int32_t;
constexpr cudnnStatus_t kSuccess = 0;
constexpr cudnnStatus_t kBadParam = 2000;
constexpr cudnnStatus_t kNullPointer = 2002;
constexpr cudnnStatus_t kMisaligned = 2003;
constexpr cudnnStatus_t kOutOfBound = 2005;
constexpr cudnnStatus_t kWorkspaceTooSmall = 2006;
constexpr cudnnStatus_t kShapeMismatch = 2008;
constexpr cudnnStatus_t kNotSupported = 3000;

constexpr int kFloat = 0;             // CUDNN_DATA_FLOAT
constexpr int kNhwc = 1;              // CUDNN_TENSOR_NHWC
constexpr int kCrossCorrelation = 1;  // CUDNN_CROSS_CORRELATION
constexpr int kDefaultMath = 0;       // CUDNN_DEFAULT_MATH: TF32 on the devices in use
constexpr int kFmaMath = 3;

struct cudnnContext : hast::stand_in::Object {
  CUstream_st* stream = nullptr;
};

// All 0 until set.
struct cudnnTensorStruct : hast::stand_in::Object {
  int n = 0, c = 0, h = 0, w = 0;
  size_t count() const { return size_t(n) * size_t(c) * size_t(h) * size_t(w); }
};

struct cudnnFilterStruct : hast::stand_in::Object {
  int k = 0, c = 0, h = 0, w = 0;
  size_t count() const { return size_t(k) * size_t(c) * size_t(h) * size_t(w); }
};

struct Convolution {
  int pad_h = 0, pad_w = 0, stride_h = 0, stride_w = 0, dilation_h = 0, dilation_w = 0;
  int math = kDefaultMath;
  int groups = 1;
};

struct cudnnConvolutionStruct : hast::stand_in::Object {
  Convolution settings;
};

// Notes the call, and ends it where a test wants it to fail.
#define HAST_CALLED() \
  if (const cudnnStatus_t failure = hast_stand_in_called(__func__)) return failure

// Whether floats lie in the memory of the stream's device.
inline cudnnStatus_t check_memory(const CUstream_st& stream, const void* address, size_t count) {
  if (address == nullptr) return kNullPointer;
  if (!hast::stand_in::is_aligned(static_cast<const char*>(address), sizeof(float))) return kMisaligned;
  return stream.holds(address, count * sizeof(float)) ? kSuccess : kOutOfBound;
}

#endif

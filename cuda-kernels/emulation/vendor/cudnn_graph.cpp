// Stands in for libcudnn_graph.so.9: handles and statuses.
#include "cudnn.h"

HAST_EXPORT size_t cudnnGetVersion() { return 91900; }

HAST_EXPORT const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case kSuccess:
      return "CUDNN_STATUS_SUCCESS";
    case kBadParam:
      return "CUDNN_STATUS_BAD_PARAM";
    case kNullPointer:
      return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
    case kMisaligned:
      return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
    case kOutOfBound:
      return "CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND";
    case kWorkspaceTooSmall:
      return "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT";
    case kShapeMismatch:
      return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case kNotSupported:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
      return "a status that a test chose";
  }
}

HAST_EXPORT cudnnStatus_t cudnnCreate(cudnnContext** handle) {
  HAST_CALLED();
  if (handle == nullptr) return kNullPointer;
  *handle = new cudnnContext();
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnDestroy(cudnnContext* handle) {
  HAST_CALLED();
  if (handle == nullptr) return kNullPointer;
  delete handle;
  return kSuccess;
}

// The default stream is nobody's here: who asks for it has lost a stream on the way.
HAST_EXPORT cudnnStatus_t cudnnSetStream(cudnnContext* handle, CUstream_st* stream) {
  HAST_CALLED();
  if (handle == nullptr || stream == nullptr) return kNullPointer;
  handle->stream = stream;
  return kSuccess;
}

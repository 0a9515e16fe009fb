// Stands in for libcudnn_ops.so.9: descriptors of tensors and filters, additions.
#include "cudnn.h"

namespace {

cudnnStatus_t check_sizes(int type, int format, int a, int b, int c, int d) {
  if (a < 1 || b < 1 || c < 1 || d < 1) return kBadParam;
  // More than 2^31 bytes are beyond what every algorithm takes.
  if (double{1} * a * b * c * d * sizeof(float) >= 2147483648.0) return kNotSupported;
  return type == kFloat && format == kNhwc ? kSuccess : kNotSupported;
}

}  // namespace

HAST_EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorStruct** tensor) {
  HAST_CALLED();
  if (tensor == nullptr) return kNullPointer;
  *tensor = new cudnnTensorStruct();
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorStruct* tensor, int format, int type, int n, int c,
                                                     int h, int w) {
  HAST_CALLED();
  if (tensor == nullptr) return kNullPointer;
  const cudnnStatus_t status = check_sizes(type, format, n, c, h, w);
  if (status != kSuccess) return status;
  tensor->n = n;
  tensor->c = c;
  tensor->h = h;
  tensor->w = w;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorStruct* tensor) {
  HAST_CALLED();
  if (tensor == nullptr) return kNullPointer;
  delete tensor;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterStruct** filter) {
  HAST_CALLED();
  if (filter == nullptr) return kNullPointer;
  *filter = new cudnnFilterStruct();
  return kSuccess;
}

// The format comes after the type here, and before it in a tensor's.
HAST_EXPORT cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterStruct* filter, int type, int format, int k, int c,
                                                     int h, int w) {
  HAST_CALLED();
  if (filter == nullptr) return kNullPointer;
  const cudnnStatus_t status = check_sizes(type, format, k, c, h, w);
  if (status != kSuccess) return status;
  filter->k = k;
  filter->c = c;
  filter->h = h;
  filter->w = w;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterStruct* filter) {
  HAST_CALLED();
  if (filter == nullptr) return kNullPointer;
  delete filter;
  return kSuccess;
}

// c = alpha a + beta c; every size of a is that of c or 1.
HAST_EXPORT cudnnStatus_t cudnnAddTensor(cudnnContext* handle, const float* alpha, const cudnnTensorStruct* a_desc,
                                         const float* a, const float* beta, const cudnnTensorStruct* c_desc, float* c) {
  HAST_CALLED();
  if (handle == nullptr || handle->stream == nullptr || alpha == nullptr || beta == nullptr || a_desc == nullptr ||
      c_desc == nullptr) {
    return kNullPointer;
  }
  if (a_desc->count() == 0 || c_desc->count() == 0) return kBadParam;
  for (const auto& [from, to] : {std::pair{a_desc->n, c_desc->n}, std::pair{a_desc->c, c_desc->c},
                                 std::pair{a_desc->h, c_desc->h}, std::pair{a_desc->w, c_desc->w}}) {
    if (from != to && from != 1) return kShapeMismatch;
  }
  CUstream_st& stream = *handle->stream;
  if (const cudnnStatus_t status = check_memory(stream, a, a_desc->count())) return status;
  if (const cudnnStatus_t status = check_memory(stream, c, c_desc->count())) return status;
  if (hast::stand_in::overlap(a, a_desc->count() * sizeof(float), c, c_desc->count() * sizeof(float))) {
    return kBadParam;
  }
  const int an = a_desc->n, ac = a_desc->c, ah = a_desc->h, aw = a_desc->w;
  const int cn = c_desc->n, cc = c_desc->c, ch = c_desc->h, cw = c_desc->w;
  stream.enqueue([=, scale = *alpha, keep = *beta] {
    float* to = c;
    for (int n = 0; n < cn; n++) {
      for (int h = 0; h < ch; h++) {
        for (int w = 0; w < cw; w++) {
          for (int k = 0; k < cc; k++, to++) {
            const size_t row = (size_t(n % an) * size_t(ah) + size_t(h % ah)) * size_t(aw) + size_t(w % aw);
            const float residual = scale * a[row * size_t(ac) + size_t(k % ac)];
            *to = keep == 0 ? residual : residual + keep * *to;
          }
        }
      }
    }
  });
  return kSuccess;
}

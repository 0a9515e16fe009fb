// The arguments of <hast/device.h>.
#ifndef HAST_ARGUMENTS_DEVICE_H
#define HAST_ARGUMENTS_DEVICE_H

#include <hast/device.h>

#include "arguments.h"

namespace hast::valid {

inline bool device_describe(const char* text, int64_t text_bytes) { return text != nullptr && text_bytes >= 1; }

inline bool stream_math(const void* stream, int32_t math) {
  return stream != nullptr && (math == HAST_MATH_FP32 || math == HAST_MATH_TF32);
}

// Of a device or of the host.
inline bool allocate(void* const* address, int64_t bytes) { return address != nullptr && bytes >= 1; }

inline bool copy(const void* to, const void* from, int64_t bytes, const void* stream) {
  return !any_null(to, from, stream) && bytes >= 1;
}

}  // namespace hast::valid

#endif

// Identity of the library and the text of its status codes.
#include <cuda_runtime.h>

#include "portable/status_text.h"

int32_t hast_abi_version(void) noexcept { return HAST_ABI_VERSION; }

const char* hast_status_text(int32_t status) noexcept {
  if (const char* text = hast::status_text(status)) return text;
  return status > 0 ? cudaGetErrorString(static_cast<cudaError_t>(status)) : "unknown status";
}

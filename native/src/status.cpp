// Identity of the library and the text of its status codes.
#include <hast/status.h>

int32_t hast_abi_version(void) noexcept { return HAST_ABI_VERSION; }

const char* hast_status_text(int32_t status) noexcept {
  switch (status) {
    case HAST_OK:
      return "success";
    case HAST_EARGUMENT:
      return "invalid argument: a null pointer, a size below 1, or an attribute out of its range";
    case HAST_EWORKSPACE:
      return "workspace missing or smaller than the family's workspace_bytes";
    case HAST_EMEMORY:
      return "the device has not enough free memory";
    case HAST_EDEVICE:
      return "no such device";
    case HAST_EUNSUPPORTED:
      return "this library does not implement the call";
    case HAST_ETHREAD:
      return "the operating system refused a worker thread";
    default:
      return status > 0 ? "error of another library's device" : "unknown status";
  }
}

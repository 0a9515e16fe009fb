// The texts of the ABI's own status codes, for every library.
#ifndef HAST_STATUS_TEXT_H
#define HAST_STATUS_TEXT_H

#include <hast/status.h>

namespace hast {

// NULL for a code that status.h does not name.
inline const char* status_text(int32_t status) {
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
      return "this library does not implement the call, or not at these sizes";
    case HAST_ETHREAD:
      return "the operating system refused a worker thread";
    case HAST_ECAPABILITY:
      return "the device is too old: its compute capability is below 8.0";
    default:
      return nullptr;
  }
}

}  // namespace hast

#endif

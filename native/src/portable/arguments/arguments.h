// What the checks of arguments are made of.
//
// The checks stand in this folder, in a header for each of the ABI's, once for all libraries: HAST_EARGUMENT is what a
// function answers where its check is false. One check serves all functions that ask the same. What a library alone
// cannot do at some sizes, HAST_EUNSUPPORTED, is its own to tell.
#ifndef HAST_ARGUMENTS_H
#define HAST_ARGUMENTS_H

#include <cstdint>

namespace hast {

template <class... Pointers>
bool any_null(const Pointers*... pointers) {
  return ((pointers == nullptr) || ...);
}

template <class... Sizes>
bool any_below_one(Sizes... sizes) {
  return ((sizes < 1) || ...);
}

// Whether a workspace is not what was asked for: HAST_EWORKSPACE.
inline bool lacks(const void* workspace, int64_t bytes, int64_t needed) {
  return needed > 0 && (workspace == nullptr || bytes < needed);
}

}  // namespace hast

#endif

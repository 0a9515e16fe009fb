// The arguments of <hast/conv.h>.
#ifndef HAST_ARGUMENTS_CONV_H
#define HAST_ARGUMENTS_CONV_H

#include "../convolution.h"
#include "arguments.h"

namespace hast::valid {

// Any direction, the depthwise ones too.
inline bool convolution(const float* result, const float* left, const float* right, const Convolution& g,
                        const void* stream) {
  return !any_null(result, left, right, stream) && g.valid();
}

}  // namespace hast::valid

#endif

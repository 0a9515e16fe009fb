// Running a grid of blocks, for the emulated runtime API.
#ifndef HAST_EMULATION_BLOCKS_H
#define HAST_EMULATION_BLOCKS_H

#include <cuda_runtime.h>

namespace hast::emulation {

struct Grid {
  dim3 blocks, block;
  size_t shared_bytes;
  std::function<void()> kernel;
};

// Returns when every block has run; false if a race was detected (watch.h).
bool run_grid(const Grid& grid);

}  // namespace hast::emulation

#endif

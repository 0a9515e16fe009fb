#!/usr/bin/env bash
# Builds the CUDA kernel library where nvcc is found, and says so where it is not; and, for the tests, the same sources on
# the emulation header. The library goes below <resources>/<os>-<machine>/, where the engine looks for it.
# usage: build.sh <build folder> <resources folder> all|usable
#        usable: only what this machine can run: no emulation, and no CUDA library where there is no NVIDIA driver
set -euo pipefail

# Where the folders really are: a build through a link goes on in the next, through another.
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$source_dir/../tools/cuda.sh"
mkdir -p "$1"
build_dir=$(cd "$1" && pwd -P)
resources_dir=$2
wanted=$3

nvcc=OFF
if has_nvcc; then
  nvcc=ON
else
  echo "nvcc not found: the CUDA library is not built; everything runs on the CPU without it"
fi
platform_dir=$resources_dir/$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
if [[ $wanted == usable ]]; then
  if [[ $nvcc == OFF ]] || ! has_nvidia_driver; then
    # One of older sources would be worse than none.
    rm -f "$platform_dir/libhast_cuda.so"
    exit 0
  fi
  targets=(hast_cuda)
else
  targets=(hast_emu hast_emu_race hast_emu_traffic hast_trap_test hast_watch_test hast_traffic_test hast_stand_ins)
  [[ $nvcc == ON ]] && targets+=(hast_cuda)
fi

cache=$build_dir/CMakeCache.txt
if [[ ! -f $build_dir/build.ninja ]] || ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source_dir" "$cache" ||
  ! grep -qxF "HAST_NVCC:BOOL=$nvcc" "$cache"; then
  cmake --fresh -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHAST_NVCC=$nvcc >/dev/null
fi
# Ninja says "no work to do" even when told to be quiet.
cmake --build "$build_dir" --target "${targets[@]}" -- --quiet | { grep -v "no work to do" || true; }
if [[ $nvcc == ON ]]; then
  "$source_dir/resources.sh" "$build_dir" --check
  cmake --install "$build_dir" --component cuda --prefix "$platform_dir" >/dev/null
fi

#!/usr/bin/env bash
# Configures the CUDA kernel library where nvcc is found; says so and succeeds where it is not.
# usage: build.sh <build folder>
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_dir=$1

if ! command -v "${CUDACXX:-nvcc}" >/dev/null; then
  echo "nvcc not found: the CUDA library is not built; the CPU engine is complete without it"
  exit 0
fi
cache=$build_dir/CMakeCache.txt
if [[ ! -f $build_dir/build.ninja ]] || ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source_dir" "$cache"; then
  cmake --fresh -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
fi
# Ninja says "no work to do" even when told to be quiet.
cmake --build "$build_dir" -- --quiet | { grep -v "no work to do" || true; }

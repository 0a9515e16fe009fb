#!/usr/bin/env bash
# Builds the CPU kernel library and copies it below <resources>/<os>-<machine>/, where the engine looks for it.
# usage: build.sh <build folder> <resources folder> [aarch64]
#        aarch64: for that machine, by a cross compiler, instead of this one
set -euo pipefail

# Where the folders really are: a build through a link goes on in the next, through another.
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p "$1"
build_dir=$(cd "$1" && pwd -P)
resources_dir=$2
machine=${3:-$(uname -m)}

cross=()
compiler=${CXX:-c++}
if [[ $machine != "$(uname -m)" ]]; then
  compiler=$machine-linux-gnu-g++
  cross=(-DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$machine" "-DCMAKE_CXX_COMPILER=$compiler")
fi

if [[ $1 == *:* ]]; then
  root=$(dirname "$source_dir")
  echo "hast4j cannot be built as $root: compilers take the colon for the end of a path." >&2
  echo "Build it through a link without one: ln -s '$root' ~/hast4j && mvn -f ~/hast4j/pom.xml verify" >&2
  exit 1
fi

missing=()
command -v cmake >/dev/null || missing+=("cmake (3.25 or newer)")
command -v ninja >/dev/null || missing+=("ninja")
if ((${#cross[@]})); then
  command -v "$compiler" >/dev/null || missing+=("$compiler (g++-$machine-linux-gnu)")
else
  command -v "$compiler" >/dev/null || command -v g++ >/dev/null || missing+=("a C++ compiler (g++)")
fi
if ((${#missing[@]})); then
  {
    echo "hast4j's kernels are C++ and cannot be built here. Not found:"
    printf '  %s\n' "${missing[@]}"
    echo "On Debian or Ubuntu: sudo apt-get install cmake ninja-build g++"
  } >&2
  exit 1
fi

# Ninja runs CMake again by itself when a CMakeLists.txt changes. A first configuration is needed only where there is
# none yet, or where the checkout was moved since.
cache=$build_dir/CMakeCache.txt
if [[ ! -f $build_dir/build.ninja ]] || ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source_dir" "$cache"; then
  cmake --fresh -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release "${cross[@]}" >/dev/null
fi
# Ninja says "no work to do" even when told to be quiet.
cmake --build "$build_dir" -- --quiet | { grep -v "no work to do" || true; }
cmake --install "$build_dir" --prefix "$resources_dir/$(uname -s | tr '[:upper:]' '[:lower:]')-$machine" >/dev/null

#!/usr/bin/env bash
# Writes the Java sources of the jar for linux-aarch64, and their list: those for linux-x86_64 with the other name.
# usage: sources.sh <sources> <folder>
set -euo pipefail

mkdir -p "$2"
: >"$2/files"
while IFS= read -r -d '' source; do
  name=${source#"$1"/}
  target=$2/${name//x86_64/aarch64}
  mkdir -p "$(dirname "$target")"
  sed -e 's/x86_64/aarch64/g' -e 's/x86-64/aarch64/g' "$source" >"$target"
  echo "$target" >>"$2/files"
done < <(find "$1" -name '*.java' -print0)

# Sourced by bash scripts: source_commit ROOT prints the commit that is checked out there, and whether what it names
# differs from what is measured.

source_commit() {
  local commit
  commit=$(git -C "$1" rev-parse --short HEAD 2>/dev/null || echo unknown)
  if [[ -n $(git -C "$1" status --porcelain -- native cuda-kernels engine-java bench/src 2>/dev/null) ]]; then
    commit+=" with changes"
  fi
  echo "$commit"
}

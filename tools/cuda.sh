# Sourced by bash scripts: what of CUDA this machine has.

has_nvcc() {
  command -v "${CUDACXX:-nvcc}" >/dev/null
}

has_nvidia_driver() {
  local ldconfig
  ldconfig=$(command -v ldconfig || echo /sbin/ldconfig)
  # Not grep -q: it ends at the first match, and ldconfig would fail for a closed pipe.
  "$ldconfig" -p 2>/dev/null | grep 'libcuda\.so\.1' >/dev/null
}

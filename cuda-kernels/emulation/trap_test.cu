// Kernels that do what a GPU faults at or C++ leaves undefined, beside the same without it: the emulation, as hast_emu
// is compiled, must end the process in the former alone. Exits with the number of kernels judged wrongly, and names
// them.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "kernel.cuh"

using namespace hast;

namespace {

__global__ void reads_four(float* values, int at) {
  const float4 four = *reinterpret_cast<const float4*>(values + at);
  values[0] = four.x + four.w;
}

__global__ void writes_two(float* values, int at) { *reinterpret_cast<float2*>(values + at) = make_float2(1.0f, 2.0f); }

__global__ void shifts(float* values, int bits) { values[0] = static_cast<float>(1 << bits); }

__global__ void indexes(float* values, int at) {
  float own[4];
  for (float& value : own) value = values[1];
  values[0] = own[at];
}

// Whether a launch ended a process of its own: the trap's signal depends on the processor.
bool traps(void (*kernel)(float*, int), int argument) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    Stream stream{};
    void* values = nullptr;
    if (cudaStreamCreateWithFlags(&stream.handle, cudaStreamNonBlocking) != cudaSuccess ||
        cudaMalloc(&values, 64) != cudaSuccess) {
      _exit(1);
    }
    _exit(launch(kernel, 1, 1, 0, stream, static_cast<float*>(values), argument) == HAST_OK ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) {
    std::puts("a process did not run a kernel");
    _exit(100);
  }
  return WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

}  // namespace

int main() {
  const struct {
    const char* name;
    void (*kernel)(float*, int);
    int sound, defective;
  } cases[] = {{"four floats read", reads_four, 4, 5},
               {"two floats written", writes_two, 2, 3},
               {"shift", shifts, 5, 32},
               {"index", indexes, 3, 4}};
  int wrong = 0;
  for (const auto& c : cases) {
    if (traps(c.kernel, c.sound)) wrong++, std::printf("%s: trapped in vain\n", c.name);
    if (!traps(c.kernel, c.defective)) wrong++, std::printf("%s: not trapped\n", c.name);
  }
  return wrong;
}

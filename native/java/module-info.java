/** Binds the CPU's kernels for Linux on x86-64 to the runtime, which finds them as a service. */
module org.hast4j.natives.cpu.linux_x86_64 {
  requires org.hast4j.runtime;

  provides org.hast4j.natives.KernelLocator with
      org.hast4j.natives.cpu.linux_x86_64.CpuKernels;
}

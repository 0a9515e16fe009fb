package org.hast4j.kernel;

/** The libraries that implement the C ABI. */
public enum Backend {
  CPU("libhast_cpu.so", false),
  CUDA("libhast_cuda.so", true);

  private final String fileName;
  private final boolean captures;

  Backend(String fileName, boolean captures) {
    this.fileName = fileName;
    this.captures = captures;
  }

  /** Whether launches can be noted once and launched again as a whole. */
  public boolean captures() {
    return captures;
  }

  /** File name of the library inside the native resource folder. */
  public String fileName() {
    return fileName;
  }
}

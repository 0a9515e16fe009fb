package org.hast4j.kernel;

/** The libraries that implement the C ABI. */
public enum Backend {
  CPU("libhast_cpu.so"),
  CUDA("libhast_cuda.so");

  private final String fileName;

  Backend(String fileName) {
    this.fileName = fileName;
  }

  /** File name of the library inside the native resource folder. */
  public String fileName() {
    return fileName;
  }
}

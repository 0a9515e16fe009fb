/** Runs image classifiers, quantised ones above all, inside a service. */
module org.hast4j.runtime {
  requires com.fasterxml.jackson.core;

  // The bindings of cuDNN and cuBLASLt: who leaves their jars out has hast4j's own kernels.
  requires static org.bytedeco.cuda;
  requires static org.bytedeco.javacpp;

  uses org.hast4j.natives.KernelLocator;

  exports org.hast4j.device;
  exports org.hast4j.failure;
  exports org.hast4j.io;
  exports org.hast4j.model;
  exports org.hast4j.natives;
  exports org.hast4j.nn;
  exports org.hast4j.quant;
  exports org.hast4j.session;
  exports org.hast4j.tensor;
  exports org.hast4j.io.bytes to
      org.hast4j.quantize;
  exports org.hast4j.device.driver to
      org.hast4j.quantize,
      org.hast4j.cli;
  exports org.hast4j.exec to
      org.hast4j.quantize,
      org.hast4j.cli;
  exports org.hast4j.forward to
      org.hast4j.quantize;
  exports org.hast4j.graph to
      org.hast4j.quantize;
  exports org.hast4j.kernel to
      org.hast4j.cli;
  exports org.hast4j.vendor to
      org.hast4j.cli;
}

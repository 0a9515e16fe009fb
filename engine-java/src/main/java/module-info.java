/** Zero-shot quantisation of image classifiers: the engine and its command line. */
@SuppressWarnings("opens") // The recipes are a package without a class.
module org.hast4j.engine {
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires java.desktop;
  requires me.tongfei.progressbar;
  requires typesafe.config;

  // The bindings of cuDNN and cuBLASLt: who leaves their jars out has hast4j's own kernels.
  requires static org.bytedeco.cuda;
  requires static org.bytedeco.javacpp;

  exports org.hast4j.data;
  exports org.hast4j.device;
  exports org.hast4j.exec;
  exports org.hast4j.failure;
  exports org.hast4j.graph;
  exports org.hast4j.graph.rewrite;
  exports org.hast4j.hast;
  exports org.hast4j.io;
  exports org.hast4j.kernel;
  exports org.hast4j.model;
  exports org.hast4j.nn;
  exports org.hast4j.plan;
  exports org.hast4j.quant;
  exports org.hast4j.session;
  exports org.hast4j.tensor;
  exports org.hast4j.vendor;

  // A library that reads resources by their name sees those of open packages only.
  opens org.hast4j.recipes;

  // picocli fills the commands by reflection.
  opens org.hast4j.cli to
      info.picocli;
}

/** Quantises image classifiers without data. */
@SuppressWarnings("opens") // The recipes are a package without a class.
module org.hast4j.quantize {
  requires transitive org.hast4j.runtime;
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.databind;
  requires com.google.protobuf;
  // What protobuf reads a mapped file with, without a copy of it.
  requires jdk.unsupported;
  requires org.tribuo.util.onnx;
  requires typesafe.config;

  exports org.hast4j.data;
  exports org.hast4j.hast;
  exports org.hast4j.source;
  exports org.hast4j.zoo;

  // A library that reads resources by their name sees those of open packages only.
  opens org.hast4j.recipes;
}

/** Zero-shot quantisation of image classifiers: the engine and its command line. */
module org.hast4j.engine {
  requires com.fasterxml.jackson.core;
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires java.desktop;
  requires org.slf4j;
  requires me.tongfei.progressbar;
  requires typesafe.config;

  exports org.hast4j.data;
  exports org.hast4j.io;
  exports org.hast4j.tensor;
}

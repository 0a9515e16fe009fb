package org.hast4j.source.onnx;

/** Names as files have them, made fit for messages and for layers. */
final class Names {
  // Layers may have names of 200 characters, and a number may come behind.
  private static final int LENGTH = 180;

  private Names() {}

  /** In quotes, without what would spoil a message. */
  static String quoted(String name) {
    return '"' + clean(name) + '"';
  }

  /** Without control characters, and of bounded length. */
  static String clean(String name) {
    String start = name.length() > LENGTH ? name.substring(0, LENGTH) : name;
    return start.replaceAll("\\p{Cntrl}", "?");
  }
}

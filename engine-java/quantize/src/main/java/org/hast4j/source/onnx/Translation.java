package org.hast4j.source.onnx;

import java.util.List;

/** What the outputs of a node are. */
@FunctionalInterface
interface Translation {
  List<Operand> of(Node node);

  /** Of a node with one output. */
  @FunctionalInterface
  interface Single {
    Operand of(Node node);
  }

  /** A translation of the first output; others are not known. */
  static Translation of(Single single) {
    return node -> List.of(single.of(node));
  }
}

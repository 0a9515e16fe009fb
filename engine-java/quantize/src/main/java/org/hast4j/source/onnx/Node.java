package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;

/**
 * A node whose inputs are known.
 *
 * @param operands its inputs; one that is left out is empty
 */
record Node(NodeProto proto, List<Optional<Operand>> operands) {

  /** How messages call it. */
  static String text(NodeProto proto) {
    String name = proto.getName().isBlank() ? "" : Names.quoted(proto.getName()) + " ";
    String outputs = proto.getOutputCount() == 0 ? "nothing" : Names.quoted(proto.getOutput(0));
    return "node %s(%s, giving %s)".formatted(name, Names.clean(proto.getOpType()), outputs);
  }

  /** What its layer is called if no weight says it. */
  String name() {
    String name = proto.getName().isBlank() ? proto.getOutput(0) : proto.getName();
    return name.isBlank() ? proto.getOpType() : name;
  }

  /** The name of a weight without its last part, or the node's own. */
  String name(Constant weight) {
    String suffix = ".weight";
    String name = weight.name();
    return name.endsWith(suffix) && name.length() > suffix.length()
        ? name.substring(0, name.length() - suffix.length())
        : name();
  }

  Optional<Operand> operand(int index) {
    return index < operands.size() ? operands.get(index) : Optional.empty();
  }

  /** An input that must be there. */
  Operand required(int index) {
    return operand(index)
        .orElseThrow(() -> new RefusedException("lacks its input %d".formatted(index)));
  }

  /** One that depends on the image. */
  Operand.Dynamic dynamic(int index) {
    return switch (required(index)) {
      case Operand.Dynamic dynamic -> dynamic;
      case Constant _ ->
          throw new RefusedException(
              "has a constant as its input %d, where features are known".formatted(index));
    };
  }

  /** One that does not. */
  Constant constant(int index) {
    return switch (required(index)) {
      case Constant constant -> constant;
      case Operand.Dynamic _ ->
          throw new RefusedException(
              "has an input %d that depends on the image, where constants are known"
                  .formatted(index));
    };
  }

  Optional<Constant> optionalConstant(int index) {
    return operand(index).map(_ -> constant(index));
  }

  Optional<AttributeProto> attribute(String name, AttributeProto.AttributeType type) {
    Optional<AttributeProto> found =
        proto.getAttributeList().stream().filter(a -> a.getName().equals(name)).findFirst();
    if (found.isPresent() && found.get().getType() != type) {
      throw new RefusedException(
          "has %s of type %s, not %s".formatted(name, found.get().getType(), type));
    }
    return found;
  }

  long whole(String name, long usual) {
    return attribute(name, AttributeProto.AttributeType.INT)
        .map(AttributeProto::getI)
        .orElse(usual);
  }

  boolean flag(String name) {
    return whole(name, 0) != 0;
  }

  float real(String name, float usual) {
    return attribute(name, AttributeProto.AttributeType.FLOAT)
        .map(AttributeProto::getF)
        .orElse(usual);
  }

  String text(String name, String usual) {
    return attribute(name, AttributeProto.AttributeType.STRING)
        .map(a -> a.getS().toStringUtf8())
        .orElse(usual);
  }

  Optional<long[]> wholes(String name) {
    return attribute(name, AttributeProto.AttributeType.INTS)
        .map(a -> a.getIntsList().stream().mapToLong(Long::longValue).toArray());
  }

  /** What older versions have as an attribute and newer ones as an input. */
  Optional<long[]> wholes(String name, int index) {
    Optional<long[]> attribute = wholes(name);
    return attribute.isPresent() ? attribute : optionalConstant(index).map(Constant::wholes);
  }

  /** An axis counted from the front, the batch's is 0. */
  int axis(long axis, int rank) {
    if (axis < -rank || axis >= rank) {
      throw new RefusedException("has axis %d of %d".formatted(axis, rank));
    }
    return (int) (axis < 0 ? axis + rank : axis);
  }
}

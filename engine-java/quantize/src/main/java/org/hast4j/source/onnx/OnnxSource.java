package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.source.Source;

/**
 * Reads ONNX graphs of image classifiers: opset 9 and above, and of 7 and 8 what means the same.
 *
 * @see <a href="https://onnx.ai/onnx/operators/">the operators</a>
 */
public final class OnnxSource {
  /** Metadata: the mean that the graph subtracts from its pixels, in units of v / 255. */
  public static final String MEAN = "mean";

  /** Metadata: the deviation that it divides by then, likewise. */
  public static final String STD = "std";

  private static final long MIN_OPSET = 7;
  private static final long MAX_IR_VERSION = 1000;
  private static final long MAX_BYTES = Integer.MAX_VALUE;
  // Of a ModelProto, field number and wire type: ir_version, then what may follow it.
  private static final int IR_VERSION = 0x08;
  private static final List<Integer> FOLLOWING =
      List.of(0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72);

  private final Path file;
  private final List<String> notes = new ArrayList<>();
  private final Map<String, Operand> values = new HashMap<>();

  private OnnxSource(Path file) {
    this.file = file;
  }

  /** Whether bytes begin as an ONNX file does, which has no magic number. */
  public static boolean looksLike(MemorySegment bytes) {
    if (bytes.byteSize() < 8 || bytes.get(ValueLayout.JAVA_BYTE, 0) != IR_VERSION) {
      return false;
    }
    long version = 0;
    for (int i = 1; i <= 2; i++) {
      int next = bytes.get(ValueLayout.JAVA_BYTE, i);
      version |= (long) (next & 0x7f) << 7 * (i - 1);
      if (next >= 0) {
        return version > 0
            && version < MAX_IR_VERSION
            && FOLLOWING.contains(bytes.get(ValueLayout.JAVA_BYTE, i + 1) & 0xff);
      }
    }
    return false;
  }

  /**
   * Reads a graph as a model with its tensors, by the model's names. Their values stay in the file.
   *
   * @param mapped all of the file
   * @throws CorruptFileException if it is damaged, or no classifier of layers that are known;
   *     naming the node
   * @throws UnreadableFileException if a file beside it cannot be read
   */
  public static Source read(Path file, MemorySegment mapped) {
    try {
      return new OnnxSource(file).source(parsed(mapped));
    } catch (RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    }
  }

  private static ModelProto parsed(MemorySegment mapped) {
    if (mapped.byteSize() > MAX_BYTES) {
      throw new RefusedException(
          "it has %d bytes, more than an ONNX file can have (2 GiB): export it with external data"
              .formatted(mapped.byteSize()));
    }
    try {
      // Wrapped bytes do not change, so that tensors may be views of them and are not copied.
      CodedInputStream bytes =
          UnsafeByteOperations.unsafeWrap(mapped.asByteBuffer()).newCodedInput();
      bytes.enableAliasing(true);
      return ModelProto.parseFrom(bytes);
    } catch (IOException e) {
      throw new RefusedException("it is no ONNX file, or cut short: " + e.getMessage(), e);
    }
  }

  private Source source(ModelProto proto) {
    checkOpset(proto);
    if (proto.getGraph().getNodeCount() == 0) {
      throw new RefusedException("it has a graph without a node");
    }
    if (proto.getGraph().getSparseInitializerCount() > 0) {
      throw new RefusedException("it has sparse initializers: export it with dense ones");
    }
    Graph graph = new Graph(proto.getGraph());
    Steps steps = new Steps(graph.image());
    Features features = new Features(steps);
    ExternalData external = new ExternalData(file);
    Map<String, Translation> table = new TreeMap<>();
    new Convolutions(steps, features, notes).register(table);
    new Poolings(steps, features).register(table);
    new Activations(steps, features).register(table);
    new Arithmetic(steps, features).register(table);
    new Shapes(steps, features, graph.batch()).register(table);
    new Parts(steps, features, external).register(table);

    Operand.Feature image = steps.image();
    values.put(graph.input(), graph.isChannelsLast() ? new Operand.ChannelsLast(image) : image);
    graph.initializers().forEach((name, tensor) -> values.put(name, Constant.of(tensor, external)));
    for (NodeProto node : graph.order()) {
      translate(node, table);
    }

    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    Model model = steps.model(name(proto), output(graph, steps, features).step(), tensors);
    Map<String, String> metadata = new LinkedHashMap<>();
    proto.getMetadataPropsList().forEach(entry -> metadata.put(entry.getKey(), entry.getValue()));
    steps.normalization().ifPresent(normalization -> leaveOut(normalization, metadata));
    notes.addAll(graph.notes());
    return new Source(file, tensors, metadata, Optional.of(model), notes);
  }

  private static String name(ModelProto proto) {
    String name = Names.clean(proto.getGraph().getName());
    return name.isBlank() ? "onnx" : name;
  }

  private static void checkOpset(ModelProto proto) {
    for (OperatorSetIdProto operators : proto.getOpsetImportList()) {
      if (isStandard(operators.getDomain())) {
        if (operators.getVersion() < MIN_OPSET) {
          throw new RefusedException(
              "its operators are of opset %d, which mean something else; known are %d and above: convert it by onnx.version_converter"
                  .formatted(operators.getVersion(), MIN_OPSET));
        }
        return;
      }
    }
    throw new RefusedException("it does not say which opset its operators are of");
  }

  private static boolean isStandard(String domain) {
    return domain.isEmpty() || domain.equals("ai.onnx");
  }

  private void translate(NodeProto proto, Map<String, Translation> table) {
    try {
      Translation translation = table.get(proto.getOpType());
      if (translation == null || !isStandard(proto.getDomain())) {
        throw new RefusedException(
            "is an operator%s that is not known: known are %s"
                .formatted(
                    isStandard(proto.getDomain())
                        ? ""
                        : " of domain " + Names.quoted(proto.getDomain()),
                    String.join(", ", table.keySet())));
      }
      List<Optional<Operand>> operands =
          proto.getInputList().stream()
              .map(name -> name.isEmpty() ? Optional.<Operand>empty() : Optional.of(operand(name)))
              .toList();
      List<Operand> outputs = translation.of(new Node(proto, operands));
      for (int i = 0; i < Math.min(outputs.size(), proto.getOutputCount()); i++) {
        values.put(proto.getOutput(i), outputs.get(i));
      }
    } catch (IllegalArgumentException | ArithmeticException e) {
      // Of sizes that are none, too: what comes out of a graph is the graph's.
      throw new RefusedException(Node.text(proto) + ": " + e.getMessage(), e);
    }
  }

  private Operand operand(String name) {
    Operand operand = values.get(name);
    if (operand == null) {
      throw new RefusedException(
          "reads %s, an output beside the first of its node, which is not known"
              .formatted(Names.quoted(name)));
    }
    return operand;
  }

  private Operand.Feature output(Graph graph, Steps steps, Features features) {
    return switch (values.get(graph.output())) {
      case null -> throw new RefusedException("its output is one beside the first of a node");
      case Constant _ -> throw new RefusedException("its output does not depend on its input");
      case Operand.Dynamic value -> {
        Operand.Dynamic logits = value;
        while (logits instanceof Operand.Final(Operand.Dynamic source, Node node)) {
          logits = source;
          notes.add(
              "the final %s is left out: classes stay the same"
                  .formatted(node.proto().getOpType()));
        }
        Operand.Feature output = features.of(logits);
        // One pixel, as of a convolution that classifies.
        yield output.sizes().size() == 3 && output.sizes().get(1) == 1 && output.sizes().get(2) == 1
            ? steps.flattened(output.step())
            : output;
      }
    };
  }

  private void leaveOut(Normalization normalization, Map<String, String> metadata) {
    metadata.put(MEAN, Arrays.toString(normalization.mean()));
    metadata.put(STD, Arrays.toString(normalization.std()));
    notes.add(
        "the normalization in the graph is left to whoever prepares images: %s"
            .formatted(normalization));
  }
}

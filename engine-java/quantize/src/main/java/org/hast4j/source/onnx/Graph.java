package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

/** The nodes of a graph in an order in which each can be computed, and what they read. */
final class Graph {
  /** Stands for the number of images, where a graph computes with sizes. */
  static final long BATCH = Long.MIN_VALUE + 0x62_61_74_63_68L;

  private static final int MAX_NODES = 200_000;
  private static final int MAX_CHANNELS_LAST = 4;

  private final GraphProto proto;
  private final Map<String, TensorProto> initializers = new LinkedHashMap<>();
  private final Map<String, NodeProto> producers = new HashMap<>();
  private final List<NodeProto> order = new ArrayList<>();
  private final Set<String> read = new LinkedHashSet<>();
  private final String output;
  private final ValueInfoProto input;
  private final List<String> notes = new ArrayList<>();

  /**
   * @throws RefusedException naming what does not lead anywhere, or twice
   */
  Graph(GraphProto proto) {
    this.proto = proto;
    if (proto.getNodeCount() > MAX_NODES) {
      throw new RefusedException(
          "the graph has %d nodes, more than %d".formatted(proto.getNodeCount(), MAX_NODES));
    }
    for (TensorProto tensor : proto.getInitializerList()) {
      if (initializers.put(tensor.getName(), tensor) != null) {
        throw new RefusedException(
            "there are two initializers named %s".formatted(Names.quoted(tensor.getName())));
      }
    }
    for (NodeProto node : proto.getNodeList()) {
      for (String name : node.getOutputList()) {
        if (!name.isEmpty()
            && (initializers.containsKey(name) || producers.put(name, node) != null)) {
          throw new RefusedException(
              "%s gives %s, which is there already".formatted(Node.text(node), Names.quoted(name)));
        }
      }
    }
    output = chosenOutput();
    sort();
    input = chosenInput();
    noteUnused();
  }

  List<String> notes() {
    return notes;
  }

  /** Name of the value that is the classifier's output. */
  String output() {
    return output;
  }

  /** Name of the value that is the image. */
  String input() {
    return input.getName();
  }

  /** The nodes that the output needs, each behind those that it reads. */
  List<NodeProto> order() {
    return Collections.unmodifiableList(order);
  }

  /** The initialisers that they read, by name. */
  Map<String, TensorProto> initializers() {
    Map<String, TensorProto> used = new LinkedHashMap<>(initializers);
    used.keySet().retainAll(read);
    return used;
  }

  private String chosenOutput() {
    List<ValueInfoProto> outputs = proto.getOutputList();
    if (outputs.size() == 1) {
      return outputs.getFirst().getName();
    }
    List<String> classifiers =
        outputs.stream()
            .filter(info -> info.getType().getTensorType().getShape().getDimCount() == 2)
            .map(ValueInfoProto::getName)
            .toList();
    String all =
        outputs.stream()
            .map(info -> Names.quoted(info.getName()))
            .limit(16)
            .collect(Collectors.joining(", "));
    if (classifiers.size() != 1) {
      throw new RefusedException(
          "the graph has %d outputs (%s), of which %d are [images, classes]: export the network with its logits alone"
              .formatted(outputs.size(), all, classifiers.size()));
    }
    notes.add(
        "of the outputs %s, %s is the classifier's"
            .formatted(all, Names.quoted(classifiers.getFirst())));
    return classifiers.getFirst();
  }

  /** A node that is being looked at, and which of its inputs comes next. */
  private static final class Visit {
    private final NodeProto node;
    private int next;

    Visit(NodeProto node) {
      this.node = node;
    }
  }

  private void sort() {
    Set<String> inputs = new HashSet<>();
    proto.getInputList().forEach(info -> inputs.add(info.getName()));
    // Nodes are looked up by identity: two may be equal.
    Map<NodeProto, Boolean> done = new IdentityHashMap<>();
    Deque<Visit> visits = new ArrayDeque<>();
    if (producers.containsKey(output)) {
      visits.push(new Visit(producers.get(output)));
      done.put(producers.get(output), false);
    } else if (!inputs.contains(output)) {
      throw new RefusedException(
          "the output is %s, which no node gives".formatted(Names.quoted(output)));
    }
    while (!visits.isEmpty()) {
      Visit visit = visits.peek();
      if (visit.next == visit.node.getInputCount()) {
        visits.pop();
        done.put(visit.node, true);
        order.add(visit.node);
        continue;
      }
      String name = visit.node.getInput(visit.next++);
      if (name.isEmpty()) {
        continue;
      }
      NodeProto producer = producers.get(name);
      if (producer == null) {
        read.add(name);
        if (!initializers.containsKey(name) && !inputs.contains(name)) {
          throw new RefusedException(
              "%s reads %s, which is neither an input nor an initializer nor what a node gives"
                  .formatted(Node.text(visit.node), Names.quoted(name)));
        }
      } else if (!done.containsKey(producer)) {
        done.put(producer, false);
        visits.push(new Visit(producer));
      } else if (!done.get(producer)) {
        throw new RefusedException(
            "%s reads %s, which comes of it: the graph goes in a circle"
                .formatted(Node.text(visit.node), Names.quoted(name)));
      }
    }
  }

  private ValueInfoProto chosenInput() {
    List<ValueInfoProto> inputs =
        proto.getInputList().stream()
            .filter(
                info -> !initializers.containsKey(info.getName()) && read.contains(info.getName()))
            .toList();
    if (inputs.size() != 1) {
      throw new RefusedException(
          "the graph's output depends on %d inputs (%s): a classifier's is one image"
              .formatted(
                  inputs.size(),
                  inputs.stream()
                      .map(info -> Names.quoted(info.getName()))
                      .limit(16)
                      .collect(Collectors.joining(", "))));
    }
    return inputs.getFirst();
  }

  private void noteUnused() {
    List<String> unused =
        initializers.keySet().stream().filter(name -> !read.contains(name)).toList();
    if (!unused.isEmpty()) {
      notes.add(
          "left out %d initializers that the output does not need: %s%s"
              .formatted(
                  unused.size(),
                  unused.stream().limit(4).map(Names::quoted).collect(Collectors.joining(", ")),
                  unused.size() > 4 ? ", .." : ""));
    }
  }

  private List<TensorShapeProto.Dimension> dimensions() {
    return input.getType().getTensorType().getShape().getDimList();
  }

  /** Images of a batch as the graph has it, 1 if it leaves that open. */
  long batch() {
    return Math.max(1, dimensions().getFirst().getDimValue());
  }

  /** Whether the input has its channels behind height and width, as TensorFlow has them. */
  boolean isChannelsLast() {
    List<TensorShapeProto.Dimension> sizes = dimensions();
    return sizes.get(3).getDimValue() <= MAX_CHANNELS_LAST
        && sizes.get(1).getDimValue() > MAX_CHANNELS_LAST;
  }

  /**
   * The images.
   *
   * @throws RefusedException if the graph does not say their sizes, or takes something else
   */
  Model.Input image() {
    String name = Names.quoted(input.getName());
    TensorProto.DataType type =
        TensorProto.DataType.forNumber(input.getType().getTensorType().getElemType());
    if (type != TensorProto.DataType.FLOAT
        && type != TensorProto.DataType.FLOAT16
        && type != TensorProto.DataType.BFLOAT16
        && type != TensorProto.DataType.DOUBLE) {
      throw new RefusedException(
          "the input %s has type %s: known are floating-point numbers".formatted(name, type));
    }
    List<TensorShapeProto.Dimension> sizes = dimensions();
    if (sizes.size() != 4) {
      throw new RefusedException(
          "the input %s has %d sizes; images have 4: [images, channels, height, width]"
              .formatted(name, sizes.size()));
    }
    int[] fixed = new int[3];
    for (int i = 0; i < 3; i++) {
      long size = sizes.get(i + 1).getDimValue();
      if (size < 1) {
        throw new RefusedException(
            "the input %s leaves its size %s open: export the network for images of a fixed height and width (torch.onnx.export: without these among dynamic_axes)"
                .formatted(name, new String[] {"channels", "height", "width"}[i]));
      }
      fixed[i] = Math.toIntExact(Math.min(size, Integer.MAX_VALUE));
    }
    String clean = Names.clean(input.getName());
    String shown = clean.isBlank() ? Model.IMAGE : clean;
    return isChannelsLast()
        ? new Model.Input(shown, fixed[0], fixed[1], fixed[2])
        : new Model.Input(shown, fixed[1], fixed[2], fixed[0]);
  }
}

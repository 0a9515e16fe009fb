package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.source.Source;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.provider.Arguments;

/**
 * Damaged graphs are refused or read, and nothing else happens: -Dhast.mutations=1000000 for more
 * of them.
 */
class OnnxMutationTest {
  private static final int MUTATIONS = Integer.getInteger("hast.mutations", 1000);
  private static final long MAX_ALLOCATED = 64L << 20;
  private static final long[] NUMBERS = {
    0, 1, -1, 2, 3, 7, 8, 1 << 20, Integer.MAX_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 33
  };

  private static List<byte[]> seeds() {
    return Stream.of(
            OnnxTranslationTest.activations(),
            OnnxTranslationTest.convolutions(),
            OnnxTranslationTest.linear(),
            StructureCases.poolings(),
            StructureCases.structures())
        .flatMap(cases -> cases)
        .map(Arguments::get)
        .map(values -> ((GraphBuilder) values[2]).bytes())
        .toList();
  }

  @Test
  void areRefusedOrRead() throws Exception {
    List<byte[]> seeds = seeds();
    int read = 0;
    for (int seed = 0; seed < MUTATIONS; seed++) {
      Random random = new Random(seed);
      byte[] good = seeds.get(random.nextInt(seeds.size()));
      byte[] bytes = good;
      for (int i = random.nextInt(3); i >= 0; i--) {
        bytes =
            random.nextBoolean()
                ? damaged(bytes, seeds.get(random.nextInt(seeds.size())), random)
                : changed(bytes, random);
      }
      read += reads(seed, bytes) ? 1 : 0;
    }
    // Neither is all of it refused at the door, nor does nothing come of the damage.
    assertThat(read).isBetween(MUTATIONS / 50, MUTATIONS * 9 / 10);
  }

  private static boolean reads(int seed, byte[] bytes) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    long start = System.nanoTime();
    boolean read = false;
    try {
      Source source = Onnx.read(bytes);
      for (StoredTensor tensor : source.tensors().values()) {
        if (tensor.shape().elements() < 1 << 16) {
          assertThat(tensor.floats().length).isEqualTo((int) tensor.shape().elements());
        }
      }
      read = true;
    } catch (CorruptFileException e) {
      assertThat(e.getMessage())
          .as("mutation %d", seed)
          .contains("graph.onnx: ")
          .doesNotContainPattern("\\p{Cntrl}&&[^\\n]");
    } catch (RuntimeException | Error e) {
      throw new AssertionError("mutation " + seed, e);
    }
    assertThat(threads.getCurrentThreadAllocatedBytes() - before)
        .as("bytes allocated for mutation %d", seed)
        .isLessThan(MAX_ALLOCATED + 20L * bytes.length);
    assertThat(System.nanoTime() - start)
        .as("time for mutation %d", seed)
        .isLessThan(10_000_000_000L);
    return read;
  }

  private static byte[] damaged(byte[] bytes, byte[] other, Random random) {
    if (bytes.length == 0) {
      return other;
    }
    byte[] result = bytes.clone();
    int at = random.nextInt(bytes.length);
    return switch (random.nextInt(5)) {
      case 0 -> Arrays.copyOf(bytes, at);
      case 1 -> {
        result[at] ^= (byte) (1 << random.nextInt(8));
        yield result;
      }
      case 2 -> {
        result[at] = (byte) random.nextInt(256);
        yield result;
      }
      case 3 -> {
        int length = Math.min(random.nextInt(64), Math.min(other.length, bytes.length - at));
        System.arraycopy(other, random.nextInt(other.length - length + 1), result, at, length);
        yield result;
      }
      default -> {
        byte[] longer = new byte[bytes.length + 5];
        System.arraycopy(bytes, 0, longer, 0, at);
        random.nextBytes(longer);
        System.arraycopy(bytes, 0, longer, 0, at);
        System.arraycopy(bytes, at, longer, at + 5, bytes.length - at);
        yield longer;
      }
    };
  }

  /** What is still a graph, of other numbers or names. */
  private static byte[] changed(byte[] bytes, Random random) {
    ModelProto.Builder model;
    try {
      model = ModelProto.parseFrom(bytes).toBuilder();
    } catch (java.io.IOException _) {
      return bytes;
    }
    GraphProto.Builder graph = model.getGraphBuilder();
    if (graph.getNodeCount() == 0) {
      return bytes;
    }
    NodeProto.Builder node = graph.getNodeBuilder(random.nextInt(graph.getNodeCount()));
    long number = NUMBERS[random.nextInt(NUMBERS.length)];
    switch (random.nextInt(9)) {
      case 0 -> {
        if (node.getInputCount() > 0) {
          node.setInput(random.nextInt(node.getInputCount()), name(graph, random));
        }
      }
      case 1 -> node.addInput(name(graph, random));
      case 2 -> {
        List<String> inputs = List.copyOf(node.getInputList());
        node.clearInput();
        if (!inputs.isEmpty()) {
          node.addAllInput(inputs.subList(0, inputs.size() - 1));
        }
      }
      case 3 -> {
        if (node.getAttributeCount() > 0) {
          AttributeProto.Builder attribute =
              node.getAttributeBuilder(random.nextInt(node.getAttributeCount()));
          attribute.setI(number).setF(number);
          if (attribute.getIntsCount() > 0) {
            attribute.setInts(random.nextInt(attribute.getIntsCount()), number);
          }
        }
      }
      case 4 -> {
        if (graph.getInitializerCount() > 0) {
          TensorProto.Builder tensor =
              graph.getInitializerBuilder(random.nextInt(graph.getInitializerCount()));
          if (tensor.getInt64DataCount() > 0) {
            tensor.setInt64Data(random.nextInt(tensor.getInt64DataCount()), number);
          } else if (tensor.getDimsCount() > 0) {
            tensor.setDims(random.nextInt(tensor.getDimsCount()), number);
          }
        }
      }
      case 5 -> {
        TensorShapeProto.Builder shape =
            graph.getInputBuilder(0).getTypeBuilder().getTensorTypeBuilder().getShapeBuilder();
        if (shape.getDimCount() > 0) {
          shape.getDimBuilder(random.nextInt(shape.getDimCount())).setDimValue(number);
        }
      }
      case 6 -> node.setOpType(graph.getNode(random.nextInt(graph.getNodeCount())).getOpType());
      case 7 -> node.clearAttribute();
      default -> {
        NodeProto.Builder copy = node.clone().clearOutput().addOutput("copy");
        graph.addNode(copy);
        graph.getNodeBuilder(random.nextInt(graph.getNodeCount())).addInput("copy");
      }
    }
    return model.build().toByteArray();
  }

  private static String name(GraphProto.Builder graph, Random random) {
    List<String> names =
        Stream.of(
                graph.getInitializerList().stream().map(TensorProto::getName),
                graph.getNodeList().stream().flatMap(node -> node.getOutputList().stream()),
                Stream.of("x", "", "nothing"))
            .flatMap(all -> all)
            .toList();
    return names.get(random.nextInt(names.size()));
  }
}

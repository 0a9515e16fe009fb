package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A graph may hold any floating-point elements; which have kernels shows when it is compiled. */
class ElementTypesTest {
  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void elementsWithoutKernelsAreNamed(DType dtype) {
    TensorType type = new TensorType(dtype, Shape.of(2, 64));
    Graph graph = new Graph();
    graph.part("block");
    Value x = graph.variable(Storage.of("x", type), type);
    graph.keep(graph.value(new Elementwise.Add(), x, x), Storage.of("y", type));
    try (OpenDevice device = Platform.CPU.open(1)) {
      try (Memory memory = new Memory(device)) {
        assertThatThrownBy(() -> Program.compile("halves", graph, memory))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageStartingWith("Add block#1 has no kernel for " + dtype);
      }
      assertThat(device.ledger().bytes()).isZero();
    }
  }
}

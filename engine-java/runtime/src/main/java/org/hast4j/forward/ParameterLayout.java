package org.hast4j.forward;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.hast4j.graph.TensorType;
import org.hast4j.model.Model;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * Named tensors packed into one range of memory, so that an optimiser steps all of them in one
 * launch. Every offset is a multiple of 64 bytes; the gaps stay zero.
 */
public final class ParameterLayout {
  private static final long ALIGNMENT = 64;

  private final Map<String, Entry> layout = new LinkedHashMap<>();
  private long bytes;

  /** A tensor's type and its byte offset. */
  public record Entry(long offset, TensorType type) {}

  public void add(String name, TensorType type) {
    layout.put(name, new Entry(bytes, type));
    bytes += (type.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /**
   * The slot of a name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public Entry get(String name) {
    Entry slot = layout.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no parameter named " + name);
    }
    return slot;
  }

  public boolean has(String name) {
    return layout.containsKey(name);
  }

  public Set<String> names() {
    return layout.keySet();
  }

  /** Bytes of all slots and the gaps between them. */
  public long bytes() {
    return bytes;
  }

  /** Trained parameters of a network. */
  public static ParameterLayout parameters(Model model) {
    return of(model.parameters());
  }

  /** BatchNorm running means and variances of a network. */
  public static ParameterLayout statistics(Model model) {
    return of(model.statistics());
  }

  private static ParameterLayout of(Map<String, Shape> shapes) {
    ParameterLayout layout = new ParameterLayout();
    shapes.forEach((name, shape) -> layout.add(name, new TensorType(DType.F32, shape)));
    return layout;
  }
}

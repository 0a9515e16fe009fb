package org.hast4j.nn;

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
public final class Slots {
  private static final long ALIGNMENT = 64;

  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private long bytes;

  /** A tensor's type and its byte offset. */
  public record Slot(long offset, TensorType type) {}

  public void add(String name, TensorType type) {
    slots.put(name, new Slot(bytes, type));
    bytes += (type.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /**
   * The slot of a name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public Slot get(String name) {
    Slot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no parameter named " + name);
    }
    return slot;
  }

  public boolean has(String name) {
    return slots.containsKey(name);
  }

  public Set<String> names() {
    return slots.keySet();
  }

  /** Bytes of all slots and the gaps between them. */
  public long bytes() {
    return bytes;
  }

  /** Trained parameters of a network. */
  public static Slots parameters(Model model) {
    return of(model.parameters());
  }

  /** BatchNorm running means and variances of a network. */
  public static Slots statistics(Model model) {
    return of(model.statistics());
  }

  private static Slots of(Map<String, Shape> shapes) {
    Slots slots = new Slots();
    shapes.forEach((name, shape) -> slots.add(name, new TensorType(DType.F32, shape)));
    return slots;
  }
}

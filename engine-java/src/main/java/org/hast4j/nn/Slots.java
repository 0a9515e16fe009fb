package org.hast4j.nn;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.hast4j.graph.TensorType;

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

  void add(String name, TensorType type) {
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

  /**
   * Trained parameters of a network: convolution weights, BatchNorm scale and shift, linear weight
   * and bias.
   */
  public static Slots parameters(Topology topology) {
    Slots slots = new Slots();
    for (Topology.Unit unit : topology.units()) {
      switch (unit.layer()) {
        case Layer.Convolution conv ->
            slots.add(
                unit.name() + ".weight",
                TensorType.f32(conv.outputs(), conv.kernel(), conv.kernel(), conv.inputs()));
        case Layer.DepthwiseConvolution conv ->
            slots.add(
                unit.name() + ".weight",
                TensorType.f32(conv.channels(), conv.kernel(), conv.kernel(), 1));
        case Layer.BatchNorm norm -> {
          slots.add(unit.name() + ".weight", TensorType.f32(norm.channels()));
          slots.add(unit.name() + ".bias", TensorType.f32(norm.channels()));
        }
        case Layer.Linear linear -> {
          slots.add(unit.name() + ".weight", TensorType.f32(linear.outputs(), linear.inputs()));
          slots.add(unit.name() + ".bias", TensorType.f32(linear.outputs()));
        }
        case Layer.Relu _,
            Layer.Add _,
            Layer.PadShortcut _,
            Layer.MaxPool _,
            Layer.GlobalAveragePool _ -> {}
      }
    }
    return slots;
  }

  /** BatchNorm running means and variances of a network. */
  public static Slots statistics(Topology topology) {
    Slots slots = new Slots();
    for (Topology.Unit unit : topology.units()) {
      if (unit.layer() instanceof Layer.BatchNorm norm) {
        slots.add(unit.name() + ".running_mean", TensorType.f32(norm.channels()));
        slots.add(unit.name() + ".running_var", TensorType.f32(norm.channels()));
      }
    }
    return slots;
  }
}

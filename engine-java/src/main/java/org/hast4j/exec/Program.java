package org.hast4j.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.Buffer;
import org.hast4j.device.Device;
import org.hast4j.graph.Graph;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Kernels;
import org.hast4j.plan.Location;
import org.hast4j.plan.Plan;

/**
 * A graph compiled for a device: a list of kernel launches with fixed addresses on one slab. A run
 * allocates nothing, on the heap or the device, and reads nothing back; results lie in the storages
 * the graph kept them in.
 */
public final class Program implements AutoCloseable {
  private final Memory memory;
  private final Device device;
  private final Plan plan;
  private final Buffer slab;
  private final KernelCall[] calls;
  private final String[] labels;
  private boolean closed;

  private Program(
      Memory memory, Plan plan, Buffer slab, List<KernelCall> calls, List<String> labels) {
    this.memory = memory;
    device = memory.device();
    this.plan = plan;
    this.slab = slab;
    this.calls = calls.toArray(KernelCall[]::new);
    this.labels = labels.toArray(String[]::new);
  }

  /**
   * Plans a graph and binds it to the memory of a device.
   *
   * @param name what the program's slab is for, in memory reports
   */
  public static Program compile(String name, Graph graph, Memory memory) {
    Kernels kernels = memory.device().kernels();
    Plan plan = Plan.of(graph, node -> Workspaces.bytes(node, kernels));
    Buffer slab = plan.slabBytes() == 0 ? null : memory.allocate(name, plan.slabBytes());
    List<KernelCall> calls = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    for (Plan.Step step : plan.steps()) {
      Lowering lowering = new Lowering(step, location -> address(location, memory, slab));
      for (KernelCall call : lowering.calls()) {
        calls.add(call);
        labels.add(step.node().label());
      }
    }
    return new Program(memory, plan, slab, calls, labels);
  }

  private static long address(Location location, Memory memory, Buffer slab) {
    if (location == null) {
      return 0;
    }
    Buffer buffer = location.storage() == null ? slab : memory.buffer(location.storage());
    return buffer.address(location.offset(), location.bytes());
  }

  /**
   * Runs every launch once, in order.
   *
   * @throws IllegalStateException if the program or its memory is closed
   * @throws KernelException naming the operation that failed
   */
  public void run() {
    checkUsable();
    Kernels kernels = device.kernels();
    long stream = device.stream();
    for (int i = 0; i < calls.length; i++) {
      try {
        calls[i].launch(kernels, stream);
      } catch (KernelException e) {
        throw e.at(labels[i]);
      }
    }
  }

  /** Runs once and gives the seconds spent per operation, in order of first appearance. */
  public Map<String, Double> profile() {
    checkUsable();
    Map<String, Double> seconds = new LinkedHashMap<>();
    for (int i = 0; i < calls.length; i++) {
      long start = System.nanoTime();
      calls[i].launch(device.kernels(), device.stream());
      device.synchronize();
      seconds.merge(labels[i], (System.nanoTime() - start) * 1e-9, Double::sum);
    }
    return seconds;
  }

  private void checkUsable() {
    device.checkOwner();
    memory.checkOpen();
    if (closed) {
      throw new IllegalStateException("the program is closed");
    }
  }

  public Plan plan() {
    return plan;
  }

  @Override
  public void close() {
    closed = true;
    if (slab != null) {
      memory.release(slab);
    }
  }
}

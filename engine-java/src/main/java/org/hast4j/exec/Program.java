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
 * A graph compiled for a device: a list of kernel launches with fixed addresses on one slab. A run allocates nothing, on
 * the heap or the device, and reads nothing back; results lie in the storages the graph kept them in.
 */
public final class Program implements AutoCloseable {
  private final Device device;
  private final Plan plan;
  private final Buffer slab;
  private final KernelCall[] calls;
  private final String[] labels;

  private Program(Device device, Plan plan, Buffer slab, List<KernelCall> calls, List<String> labels) {
    this.device = device;
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
    Device device = memory.device();
    Kernels kernels = device.kernels();
    Plan plan = Plan.of(graph, node -> Workspaces.bytes(node, kernels));
    Buffer slab = plan.slabBytes() == 0 ? null : device.allocate(name, plan.slabBytes());
    List<KernelCall> calls = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    for (Plan.Step step : plan.steps()) {
      Lowering lowering = new Lowering(step, location -> address(location, memory, slab));
      for (KernelCall call : lowering.calls()) {
        calls.add(call);
        labels.add(step.node().label());
      }
    }
    return new Program(device, plan, slab, calls, labels);
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
   * @throws KernelException naming the operation that failed
   */
  public void run() {
    device.checkOwner();
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
    device.checkOwner();
    Map<String, Double> seconds = new LinkedHashMap<>();
    for (int i = 0; i < calls.length; i++) {
      long start = System.nanoTime();
      calls[i].launch(device.kernels(), device.stream());
      device.synchronize();
      seconds.merge(labels[i], (System.nanoTime() - start) * 1e-9, Double::sum);
    }
    return seconds;
  }

  /** Kernel launches of one run. */
  public int launches() {
    return calls.length;
  }

  public Plan plan() {
    return plan;
  }

  @Override
  public void close() {
    if (slab != null) {
      slab.close();
    }
  }
}

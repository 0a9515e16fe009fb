package org.hast4j.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.CaptureEnd;
import org.hast4j.kernel.abi.GraphLaunch;
import org.hast4j.kernel.abi.StreamSynchronize;
import org.hast4j.plan.Location;
import org.hast4j.plan.Plan;
import org.hast4j.vendor.VendorException;

/**
 * A graph compiled for a device: kernel launches with fixed addresses on one slab. On a device that
 * captures they are one graph, launched as a whole; elsewhere they are launched one by one. A run
 * allocates nothing, on the heap or the device, and waits for nothing; results lie in the storages
 * the graph kept them in.
 */
public final class Program implements AutoCloseable {
  private final String name;
  private final Memory memory;
  private final OpenDevice device;
  private final Plan plan;
  private final Buffer slab;
  private final Set<Storage> storages;
  private final Launch[] calls;
  private final String[] labels;
  private CaptureEnd captured;
  private GraphLaunch graph;
  private boolean closed;

  private Program(
      String name,
      Memory memory,
      Plan plan,
      Buffer slab,
      Set<Storage> storages,
      List<List<Launch>> calls) {
    this.name = name;
    this.memory = memory;
    device = memory.device();
    this.plan = plan;
    this.slab = slab;
    this.storages = storages;
    this.calls = calls.stream().flatMap(List::stream).toArray(Launch[]::new);
    labels = new String[this.calls.length];
    int next = 0;
    for (int i = 0; i < calls.size(); i++) {
      int end = next + calls.get(i).size();
      Arrays.fill(labels, next, end, plan.steps().get(i).node().label());
      next = end;
    }
  }

  /**
   * Plans a graph and binds it to the memory of a device. The storages that the graph names cannot
   * be freed before the program is closed. What fails leaves nothing behind.
   *
   * @param name what the program is for, in memory reports and errors
   * @throws IllegalStateException naming a storage that was freed, or if the memory is closed
   */
  public static Program compile(String name, Graph graph, Memory memory) {
    OpenDevice device = memory.device();
    Products products = Products.of(device);
    Lowering lowering = new Lowering(device.library(), products);
    Plan plan;
    try {
      plan = Plan.of(graph, lowering::workspaceBytes, device.captures());
    } finally {
      products.keepTimes();
    }
    memory.checkOpen();
    Set<Storage> before = memory.storages();
    Set<Storage> storages = new HashSet<>();
    Buffer slab = plan.slabBytes() == 0 ? null : device.allocate(name, plan.slabBytes());
    try {
      List<List<Launch>> calls = new ArrayList<>();
      boolean awaited = device.options().launching() == Launching.AWAITED;
      for (Plan.Step step : plan.steps()) {
        List<Launch> launches =
            lowering.launches(step, location -> address(location, memory, slab, storages));
        calls.add(
            awaited ? launches.stream().map(launch -> awaited(launch, device)).toList() : launches);
      }
      Program program = new Program(name, memory, plan, slab, storages, calls);
      if (device.captures()) {
        program.captured = Capture.of(device, plan, calls);
        program.graph = new GraphLaunch(device.library()).graph(program.captured.graph());
      }
      memory.add(program);
      return program;
    } catch (RuntimeException e) {
      try {
        memory.retain(before);
        if (slab != null) {
          slab.close();
        }
      } catch (RuntimeException lost) {
        e.addSuppressed(lost);
      }
      throw e;
    }
  }

  private static long address(
      Location location, Memory memory, Buffer slab, Set<Storage> storages) {
    if (location == null) {
      return 0;
    }
    if (location.storage() == null) {
      return slab.address(location.offset(), location.bytes());
    }
    storages.add(location.storage());
    return memory.buffer(location.storage()).address(location.offset(), location.bytes());
  }

  String name() {
    return name;
  }

  /** Whether a launch has an address in this storage. */
  boolean holds(Storage storage) {
    return storages.contains(storage);
  }

  /**
   * Runs every launch once.
   *
   * @throws IllegalStateException if the program or its memory is closed
   * @throws KernelException naming the operation whose launch failed, or the program where it is
   *     one captured graph. What fails on the device after its launch has some later call fail,
   *     unless the device {@linkplain Launching#AWAITED waits} for each.
   * @throws VendorException likewise
   */
  public void run() {
    checkUsable();
    long stream = device.stream();
    if (graph != null) {
      try {
        graph.launch(stream);
      } catch (KernelException e) {
        throw e.at("program " + name);
      }
      return;
    }
    for (int i = 0; i < calls.length; i++) {
      launch(calls[i], stream, labels[i]);
    }
  }

  /** Launches for an operation, which a failure names. */
  static void launch(Launch call, long stream, String operation) {
    try {
      call.launch(stream);
    } catch (KernelException e) {
      throw e.at(operation);
    } catch (VendorException e) {
      throw e.at(operation);
    }
  }

  /** A launch and the wait for its end. */
  private static Launch awaited(Launch call, OpenDevice device) {
    StreamSynchronize end = new StreamSynchronize(device.library());
    return stream -> {
      call.launch(stream);
      end.launch(stream);
    };
  }

  /**
   * Runs once, launch by launch, and gives the seconds spent per operation, in order of first
   * appearance.
   */
  public Map<String, Double> profile() {
    checkUsable();
    Map<String, Double> seconds = new LinkedHashMap<>();
    for (int i = 0; i < calls.length; i++) {
      long start = System.nanoTime();
      launch(awaited(calls[i], device), device.stream(), labels[i]);
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

  /** Kernels and copies that a run launches. */
  public long launches() {
    return captured == null ? calls.length : captured.nodes();
  }

  @Override
  public void close() {
    device.checkThread();
    closed = true;
    memory.remove(this);
    if (captured != null) {
      device.destroyGraph(captured.graph());
      captured = null;
    }
    if (slab != null) {
      slab.close();
    }
  }
}

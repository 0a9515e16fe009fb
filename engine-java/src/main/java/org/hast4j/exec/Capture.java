package org.hast4j.exec;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.device.Device;
import org.hast4j.graph.Lane;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Kernels;
import org.hast4j.plan.Plan;
import org.hast4j.plan.Schedule;
import org.hast4j.vendor.VendorException;

/**
 * Notes the launches of a plan as one graph. Each lane is captured on a stream of its own, which
 * forks from the device's and joins it again at the end; events carry the waits of the schedule.
 */
final class Capture {
  private final Device device;
  private final Kernels kernels;
  private final Map<Lane, Long> streams;
  private final List<Long> events = new ArrayList<>();

  private Capture(Device device) {
    this.device = device;
    kernels = device.kernels();
    streams = streams(device);
  }

  /** The stream of each lane. */
  static Map<Lane, Long> streams(Device device) {
    Map<Lane, Long> streams = new EnumMap<>(Lane.class);
    for (Lane lane : Lane.values()) {
      streams.put(
          lane, lane == Lane.MAIN ? device.stream() : device.sideStream(lane.ordinal() - 1));
    }
    return streams;
  }

  /**
   * Captures a plan.
   *
   * @param calls the launches of each step
   * @throws KernelException naming the operation that could not be captured
   * @throws VendorException likewise
   */
  static Kernels.Captured of(Device device, Plan plan, List<List<KernelCall>> calls) {
    Capture capture = new Capture(device);
    try {
      return of(device, () -> capture.launch(plan, calls));
    } finally {
      capture.events.forEach(capture.kernels::eventDestroy);
    }
  }

  /** Captures what is launched on the device's stream. */
  static Kernels.Captured of(Device device, Runnable launches) {
    Kernels kernels = device.kernels();
    kernels.captureBegin(device.stream());
    try {
      launches.run();
    } catch (RuntimeException e) {
      abandon(device, e);
      throw e;
    }
    return kernels.captureEnd(device.stream());
  }

  /** Ends a capture that failed, so that the stream can be used again. */
  private static void abandon(Device device, RuntimeException failure) {
    Kernels kernels = device.kernels();
    try {
      kernels.graphDestroy(kernels.captureEnd(device.stream()).address());
    } catch (KernelException e) {
      failure.addSuppressed(e);
    }
  }

  private void launch(Plan plan, List<List<KernelCall>> calls) {
    Schedule schedule = Schedule.of(plan);
    Set<Integer> awaited = new HashSet<>();
    schedule.waits().forEach(awaited::addAll);
    Set<Lane> forked = new HashSet<>(Set.of(Lane.MAIN));
    long begin = record(Lane.MAIN);
    Map<Integer, Long> passed = new HashMap<>();
    for (int i = 0; i < plan.steps().size(); i++) {
      Plan.Step step = plan.steps().get(i);
      Lane lane = step.node().lane();
      long stream = streams.get(lane);
      if (forked.add(lane)) {
        kernels.streamWait(stream, begin);
      }
      schedule.waits().get(i).forEach(other -> kernels.streamWait(stream, passed.get(other)));
      for (KernelCall call : calls.get(i)) {
        call.launch(kernels, stream, step.node().label());
      }
      if (awaited.contains(i)) {
        passed.put(i, record(lane));
      }
    }
    forked.remove(Lane.MAIN);
    forked.forEach(lane -> kernels.streamWait(device.stream(), record(lane)));
  }

  private long record(Lane lane) {
    long event = device.createEvent();
    events.add(event);
    kernels.eventRecord(event, streams.get(lane));
    return event;
  }
}

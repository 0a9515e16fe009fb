package org.hast4j.exec;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.graph.Lane;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.CaptureBegin;
import org.hast4j.kernel.abi.CaptureEnd;
import org.hast4j.kernel.abi.StreamWait;
import org.hast4j.plan.Plan;
import org.hast4j.plan.Schedule;
import org.hast4j.vendor.VendorException;

/**
 * Notes the launches of a plan as one graph. Each lane is captured on a stream of its own, which
 * forks from the device's and joins it again at the end; events carry the waits of the schedule.
 */
final class Capture {
  private final OpenDevice device;
  private final KernelLibrary library;
  private final Map<Lane, Long> streams;
  private final List<Long> events = new ArrayList<>();

  private Capture(OpenDevice device) {
    this.device = device;
    library = device.library();
    streams = streams(device);
  }

  /** The stream of each lane. */
  static Map<Lane, Long> streams(OpenDevice device) {
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
  static CaptureEnd of(OpenDevice device, Plan plan, List<List<Launch>> calls) {
    Capture capture = new Capture(device);
    try {
      return of(device, () -> capture.launch(plan, calls));
    } finally {
      capture.events.forEach(device::destroyEvent);
    }
  }

  /** Captures what is launched on the device's stream. */
  static CaptureEnd of(OpenDevice device, Runnable launches) {
    new CaptureBegin(device.library()).launch(device.stream());
    try {
      launches.run();
    } catch (RuntimeException e) {
      abandon(device, e);
      throw e;
    }
    return end(device);
  }

  /** Ends a capture that failed, so that the stream can be used again. */
  private static void abandon(OpenDevice device, RuntimeException failure) {
    try {
      device.destroyGraph(end(device).graph());
    } catch (KernelException e) {
      failure.addSuppressed(e);
    }
  }

  private static CaptureEnd end(OpenDevice device) {
    CaptureEnd end = new CaptureEnd(device.library());
    end.launch(device.stream());
    return end;
  }

  private void launch(Plan plan, List<List<Launch>> calls) {
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
        await(stream, begin);
      }
      schedule.waits().get(i).forEach(other -> await(stream, passed.get(other)));
      for (Launch call : calls.get(i)) {
        Program.launch(call, stream, step.node().label());
      }
      if (awaited.contains(i)) {
        passed.put(i, record(lane));
      }
    }
    forked.remove(Lane.MAIN);
    forked.forEach(lane -> await(device.stream(), record(lane)));
  }

  private long record(Lane lane) {
    long event = device.createEvent();
    events.add(event);
    device.record(event, streams.get(lane));
    return event;
  }

  private void await(long stream, long event) {
    new StreamWait(library).stream(stream).event(event).call();
  }
}

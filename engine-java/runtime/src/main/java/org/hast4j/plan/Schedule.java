package org.hast4j.plan;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Op;

/**
 * Which steps of a plan must wait for a step in another lane. Found from the bytes that the steps
 * read and write and from nothing else, so that lanes which keep to it give what the steps give one
 * after the other, however the planner laid out the memory.
 *
 * @param waits for each step the steps of other lanes to wait for, by index: at most one a lane,
 *     and none that an earlier step of its lane has waited for already
 */
public record Schedule(List<List<Integer>> waits) {
  /** The bytes a step touches. */
  private record Access(List<Location> reads, List<Location> writes) {
    static Access of(Plan.Step step) {
      List<Location> reads = new ArrayList<>(step.inputs());
      List<Location> writes = new ArrayList<>();
      if (step.node().op().effect()) {
        writes.addAll(step.inputs());
      }
      // A variable or another shape of a value only names memory.
      boolean names =
          step.node().op() instanceof Op.Variable || step.node().op() instanceof Op.Reshape;
      for (Location output : step.outputs()) {
        if (output != null && !names) {
          writes.add(output);
        }
      }
      if (step.workspace() != null) {
        writes.add(step.workspace());
      }
      for (Plan.Copy copy : step.copies()) {
        reads.add(copy.from());
        writes.add(copy.to());
      }
      return new Access(reads, writes);
    }

    /** Whether the order of the two matters. */
    boolean conflicts(Access other) {
      return touch(writes, other.reads)
          || touch(writes, other.writes)
          || touch(reads, other.writes);
    }

    private static boolean touch(List<Location> some, List<Location> others) {
      return some.stream().anyMatch(location -> others.stream().anyMatch(location::overlaps));
    }
  }

  /** The schedule of a plan. */
  public static Schedule of(Plan plan) {
    List<Plan.Step> steps = plan.steps();
    List<Access> accesses = steps.stream().map(Access::of).toList();
    Map<Lane, int[]> waited = new EnumMap<>(Lane.class);
    for (Lane lane : Lane.values()) {
      int[] none = new int[Lane.values().length];
      Arrays.fill(none, -1);
      waited.put(lane, none);
    }
    List<List<Integer>> waits = new ArrayList<>();
    for (int i = 0; i < steps.size(); i++) {
      int[] seen = waited.get(steps.get(i).node().lane());
      int[] needed = seen.clone();
      for (int j = i - 1; j >= 0; j--) {
        Lane other = steps.get(j).node().lane();
        if (other != steps.get(i).node().lane()
            && j > needed[other.ordinal()]
            && accesses.get(i).conflicts(accesses.get(j))) {
          needed[other.ordinal()] = j;
        }
      }
      List<Integer> own = new ArrayList<>();
      for (int lane = 0; lane < needed.length; lane++) {
        if (needed[lane] > seen[lane]) {
          own.add(needed[lane]);
        }
      }
      waits.add(List.copyOf(own));
      waited.put(steps.get(i).node().lane(), needed);
    }
    return new Schedule(List.copyOf(waits));
  }
}

package org.hast4j.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Op;

/** Waits between the lanes of random graphs. */
class ScheduleTest {
  /**
   * Whatever one lane does first with bytes that matter to a step of another, the step waits for.
   */
  @Property(tries = 300)
  void stepsThatShareBytesAreOrdered(@ForAll long seed) {
    Plan plan = Plan.of(new RandomGraph(seed, true).graph(), node -> 64L * (node.id() % 3), true);
    List<Plan.Step> steps = plan.steps();
    BitSet[] before = before(steps, Schedule.of(plan));
    for (int i = 0; i < steps.size(); i++) {
      for (int j = 0; j < i; j++) {
        if (writesWhatTheOtherTouches(steps.get(i), steps.get(j))
            || writesWhatTheOtherTouches(steps.get(j), steps.get(i))) {
          assertThat(before[i].get(j))
              .as("%s comes before %s", steps.get(j).node(), steps.get(i).node())
              .isTrue();
        }
      }
    }
  }

  @Property(tries = 50)
  void oneLaneWaitsForNobody(@ForAll long seed) {
    Plan plan = Plan.of(new RandomGraph(seed).graph(), _ -> 64, true);
    assertThat(Schedule.of(plan).waits()).allMatch(List::isEmpty);
  }

  /** For each step all that is sure to have run before it. */
  private static BitSet[] before(List<Plan.Step> steps, Schedule schedule) {
    BitSet[] before = new BitSet[steps.size()];
    int[] last = new int[Lane.values().length];
    Arrays.fill(last, -1);
    for (int i = 0; i < before.length; i++) {
      before[i] = new BitSet();
      int lane = steps.get(i).node().lane().ordinal();
      if (last[lane] >= 0) {
        before[i].or(before[last[lane]]);
        before[i].set(last[lane]);
      }
      for (int other : schedule.waits().get(i)) {
        assertThat(other).isLessThan(i);
        before[i].or(before[other]);
        before[i].set(other);
      }
      last[lane] = i;
    }
    return before;
  }

  private static boolean writesWhatTheOtherTouches(Plan.Step writer, Plan.Step other) {
    for (Location written : written(writer)) {
      if (other.inputs().stream().anyMatch(written::overlaps)
          || written(other).stream().anyMatch(written::overlaps)) {
        return true;
      }
    }
    return false;
  }

  private static List<Location> written(Plan.Step step) {
    List<Location> written = new ArrayList<>();
    step.copies().forEach(copy -> written.add(copy.to()));
    if (step.node().op() instanceof Op.Reshape || step.node().op() instanceof Op.Variable) {
      return written;
    }
    for (Location output : step.outputs()) {
      if (output != null) {
        written.add(output);
      }
    }
    if (step.node().op().effect()) {
      // Parameters and momentum; the gradient and the rate are only read.
      written.addAll(step.inputs().subList(0, 2));
    }
    if (step.workspace() != null) {
      written.add(step.workspace());
    }
    return written;
  }
}

package org.hast4j.plan;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.ToLongFunction;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;

/**
 * The nodes of a graph that matter, in order, and a place for each of their values: variables and
 * kept results in their storages, everything else on one slab, where values that are never needed
 * together share memory. A gradient that adds to a base is written over it, element-wise results
 * over inputs nobody needs any more.
 *
 * @param steps the live nodes in order, without variables and reshapes
 * @param slabBytes size of the slab
 */
public record Plan(List<Step> steps, long slabBytes) {
  /**
   * One node with its places. Outputs nobody needs are null where the kernel can leave them out.
   *
   * @param copyBase whether the base must be copied to output 0 first, because it is still needed
   * @param copies kept results that could not be computed in place
   */
  public record Step(
      Node node,
      List<Location> inputs,
      Location[] outputs,
      Location workspace,
      boolean copyBase,
      List<Copy> copies) {}

  /** Bytes to copy after a step. */
  public record Copy(Location from, Location to) {}

  /**
   * Plans a graph.
   *
   * @param workspaceBytes scratch a node's kernel needs
   * @param lanes whether lanes may run side by side: then each has memory of its own, so that they
   *     seldom wait for each other to be done with it
   */
  public static Plan of(Graph graph, ToLongFunction<Node> workspaceBytes, boolean lanes) {
    return new Planner(graph, workspaceBytes, lanes).plan();
  }

  /** The storages the steps read and write. */
  public Set<Storage> storages() {
    Set<Storage> storages = new HashSet<>();
    for (Step step : steps) {
      step.inputs().forEach(location -> storages.add(location.storage()));
      for (Location location : step.outputs()) {
        if (location != null) {
          storages.add(location.storage());
        }
      }
      step.copies().forEach(copy -> storages.add(copy.to().storage()));
    }
    storages.remove(null);
    return storages;
  }

  private static final class Planner {
    // Steps for which memory that another lane used too is left alone: time for that lane to come
    // along.
    private static final int SLACK = 32;

    /** Values that share one place. */
    private static final class Group {
      final long bytes;
      final int first;
      final Lane lane;
      int last;
      boolean kept;
      boolean shared;
      Location fixed;

      Group(long bytes, int first, Lane lane) {
        this.bytes = bytes;
        this.first = first;
        this.lane = lane;
        this.last = first;
      }
    }

    /** A kept value and one place it is kept in. */
    private record Result(Value value, Location target) {}

    private final Graph graph;
    private final ToLongFunction<Node> workspaceBytes;
    private final boolean lanes;
    private final List<Node> live = new ArrayList<>();
    private final Map<Value, Integer> lastUse = new HashMap<>();
    private final Map<Value, Set<Lane>> readers = new HashMap<>();
    // In order of definition, so that the same graph always gives the same layout.
    private final Map<Value, Group> groups = new LinkedHashMap<>();
    private final Set<Integer> copiedBases = new HashSet<>();
    private final Map<Integer, List<Result>> copiedResults = new HashMap<>();

    Planner(Graph graph, ToLongFunction<Node> workspaceBytes, boolean lanes) {
      this.graph = graph;
      this.workspaceBytes = workspaceBytes;
      this.lanes = lanes;
    }

    private Lane lane(Node node) {
      return lanes ? node.lane() : Lane.MAIN;
    }

    Plan plan() {
      findLiveNodes();
      findLastUses();
      for (int i = 0; i < live.size(); i++) {
        group(live.get(i), i);
      }
      graph
          .results()
          .forEach((value, targets) -> targets.forEach(target -> placeResult(value, target)));
      return place();
    }

    private void findLiveNodes() {
      Set<Node> wanted = new HashSet<>();
      graph.results().keySet().forEach(value -> wanted.add(value.node()));
      for (Node node : graph.nodes().reversed()) {
        if (node.op().effect() || wanted.contains(node)) {
          wanted.add(node);
          node.inputs().forEach(value -> wanted.add(value.node()));
        }
      }
      graph.nodes().stream().filter(wanted::contains).forEach(live::add);
    }

    private void findLastUses() {
      for (int i = 0; i < live.size(); i++) {
        for (Value input : live.get(i).inputs()) {
          lastUse.put(input, i);
          readers.computeIfAbsent(input, _ -> EnumSet.noneOf(Lane.class)).add(lane(live.get(i)));
        }
      }
    }

    private void group(Node node, int step) {
      if (node.op() instanceof Op.Variable variable) {
        Value value = node.output(0);
        Group group = new Group(value.type().bytes(), step, lane(node));
        group.fixed = new Location(variable.storage(), variable.offset(), group.bytes);
        groups.put(value, group);
        return;
      }
      if (node.op() instanceof Op.Reshape) {
        Group group = groups.get(node.inputs().getFirst());
        join(node.output(0), group);
        return;
      }
      Set<Group> taken = new HashSet<>();
      for (int output = 0; output < node.outputs().size(); output++) {
        Value value = node.output(output);
        if (!needed(node, output)) {
          continue;
        }
        Group group = takenOver(node, output, step, taken);
        if (output == 0
            && node.op().accumulates()
            && group != groups.get(node.inputs().getLast())) {
          copiedBases.add(step);
        }
        if (group == null) {
          group = new Group(value.type().bytes(), step, lane(node));
        } else {
          taken.add(group);
        }
        join(value, group);
      }
    }

    private boolean needed(Node node, int output) {
      return !node.op().optional(output)
          || read(node.output(output))
          || read(node.output(node.op().partner(output)));
    }

    private boolean read(Value value) {
      return lastUse.containsKey(value) || graph.results().containsKey(value);
    }

    private void join(Value value, Group group) {
      group.last = Math.max(group.last, lastUse.getOrDefault(value, group.last));
      group.kept |= graph.results().containsKey(value);
      group.shared |=
          readers.getOrDefault(value, Set.of()).stream().anyMatch(lane -> lane != group.lane);
      groups.put(value, group);
    }

    /** The group of an input that this output may take over, or null. */
    private Group takenOver(Node node, int output, int step, Set<Group> taken) {
      for (Value input : node.inputs()) {
        Group group = groups.get(input);
        boolean free =
            group.fixed == null
                && !group.kept
                && !group.shared
                && group.lane == lane(node)
                && group.last == step
                && group.first < step
                && !taken.contains(group);
        if (free
            && group.bytes == node.output(output).type().bytes()
            && overwritable(node, output, group)) {
          return group;
        }
      }
      return null;
    }

    /** Whether the node allows an output over every input that lies in a group. */
    private boolean overwritable(Node node, int output, Group group) {
      for (int input = 0; input < node.inputs().size(); input++) {
        boolean base = output == 0 && node.op().accumulates() && input == node.inputs().size() - 1;
        if (groups.get(node.inputs().get(input)) == group
            && !base
            && !node.op().reuses(output, input)) {
          return false;
        }
      }
      // Copying the base there first would destroy any other input.
      return output != 0
          || !node.op().accumulates()
          || groups.get(node.inputs().getLast()) == group;
    }

    /**
     * Lets a result be computed right in its storage, or schedules a copy where that would disturb
     * something.
     */
    private void placeResult(Value value, Op.Variable target) {
      Group group = groups.get(value);
      int defined = live.indexOf(value.node());
      Location location = new Location(target.storage(), target.offset(), value.type().bytes());
      if (group.fixed == null
          && !readBetween(location, group.first, defined)
          && !changedBetween(location, defined, group.last)) {
        group.fixed = location;
      } else {
        copiedResults
            .computeIfAbsent(defined, _ -> new ArrayList<>())
            .add(new Result(value, location));
      }
    }

    /** Whether a step still reads what the storage held before. */
    private boolean readBetween(Location location, int first, int last) {
      for (int i = first; i <= last; i++) {
        if (reads(live.get(i), location)) {
          return true;
        }
      }
      return false;
    }

    /**
     * Whether a step with an effect may change the storage before the last reader of the value has
     * read it.
     */
    private boolean changedBetween(Location location, int defined, int last) {
      for (int i = defined + 1; i <= last; i++) {
        if (live.get(i).op().effect() && reads(live.get(i), location)) {
          return true;
        }
      }
      return false;
    }

    private boolean reads(Node node, Location location) {
      for (Value input : node.inputs()) {
        Location fixed = groups.get(input).fixed;
        if (fixed != null && fixed.overlaps(location)) {
          return true;
        }
      }
      return false;
    }

    private Plan place() {
      List<Group> ordered =
          groups.values().stream().distinct().filter(group -> group.fixed == null).toList();
      Location[] workspaces = new Location[live.size()];
      long slabBytes = 0;
      for (Lane lane : Lane.values()) {
        slabBytes += pack(lane, ordered, workspaces, slabBytes);
      }
      List<Step> steps = new ArrayList<>();
      for (int i = 0; i < live.size(); i++) {
        Node node = live.get(i);
        List<Copy> copies =
            copiedResults.getOrDefault(i, List.of()).stream().map(this::copyOf).toList();
        boolean silent = node.op() instanceof Op.Variable || node.op() instanceof Op.Reshape;
        if (silent && copies.isEmpty()) {
          continue;
        }
        steps.add(
            new Step(
                node,
                node.inputs().stream().map(value -> groups.get(value).fixed).toList(),
                locations(node),
                workspaces[i],
                copiedBases.contains(i),
                copies));
      }
      return new Plan(List.copyOf(steps), slabBytes);
    }

    /**
     * Packs what one lane writes, workspaces included, from an offset of the slab on.
     *
     * @return the bytes it takes
     */
    private long pack(Lane lane, List<Group> groups, Location[] workspaces, long start) {
      List<Interval> intervals = new ArrayList<>();
      List<LongConsumer> places = new ArrayList<>();
      for (Group group : groups) {
        if (group.lane == lane) {
          int last = group.shared ? group.last + SLACK : group.last;
          intervals.add(new Interval(group.bytes, group.first, last));
          places.add(offset -> group.fixed = new Location(null, offset, group.bytes));
        }
      }
      for (int i = 0; i < live.size(); i++) {
        int step = i;
        long bytes = lane(live.get(i)) == lane ? workspaceBytes.applyAsLong(live.get(i)) : 0;
        if (bytes > 0) {
          intervals.add(new Interval(bytes, i, i));
          places.add(offset -> workspaces[step] = new Location(null, offset, bytes));
        }
      }
      Slab slab = Slab.pack(intervals);
      for (int i = 0; i < places.size(); i++) {
        places.get(i).accept(start + slab.offsets()[i]);
      }
      return slab.bytes();
    }

    private Copy copyOf(Result result) {
      return new Copy(groups.get(result.value()).fixed, result.target());
    }

    private Location[] locations(Node node) {
      Location[] locations = new Location[node.outputs().size()];
      for (int output = 0; output < locations.length; output++) {
        Group group = groups.get(node.output(output));
        locations[output] = group == null ? null : group.fixed;
      }
      return locations;
    }
  }
}

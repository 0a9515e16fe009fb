package org.hast4j.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.Backend;
import org.hast4j.oracle.Interpreter;

/** Plans of random graphs: read as values, and run. */
class PlanTest {
  private static final TensorType TYPE = RandomGraph.TYPE;

  @Property(tries = 300)
  void valuesAliveTogetherShareNoByte(@ForAll long seed) {
    RandomGraph sample = new RandomGraph(seed);
    Plan plan = Plan.of(sample.graph, node -> 64L * (node.id() % 3), false);
    List<Plan.Step> steps = plan.steps();
    for (int i = 0; i < steps.size(); i++) {
      Plan.Step step = steps.get(i);
      boolean writes = !(step.node().op() instanceof Op.Reshape);
      for (Location output : step.outputs()) {
        if (output == null || !writes) {
          continue;
        }
        within(output, plan);
        // Whatever a later step reads must not be overwritten between its own making and that step.
        for (int maker = 0; maker < i; maker++) {
          for (int index = 0; index < steps.get(maker).outputs().length; index++) {
            Location made = steps.get(maker).outputs()[index];
            if (made != null && made.overlaps(output)) {
              int last = lastRead(steps, steps.get(maker).node().output(index));
              assertThat(last)
                  .as("%s overwrites output %d of %s", step.node(), index, steps.get(maker).node())
                  .isLessThanOrEqualTo(i);
            }
          }
        }
      }
      if (step.workspace() != null) {
        within(step.workspace(), plan);
        step.inputs().forEach(input -> assertThat(input.overlaps(step.workspace())).isFalse());
        for (Location output : step.outputs()) {
          assertThat(output != null && output.overlaps(step.workspace())).isFalse();
        }
      }
    }
  }

  private static void within(Location location, Plan plan) {
    if (location.storage() == null) {
      assertThat(location.offset() + location.bytes()).isLessThanOrEqualTo(plan.slabBytes());
    }
  }

  /** The last step that reads a value, by itself or by another shape. */
  private static int lastRead(List<Plan.Step> steps, Value value) {
    int last = -1;
    for (int i = 0; i < steps.size(); i++) {
      for (Value input : steps.get(i).node().inputs()) {
        Value origin = input;
        while (origin.node().op() instanceof Op.Reshape) {
          origin = origin.node().inputs().getFirst();
        }
        if (origin.equals(value)) {
          last = i;
        }
      }
    }
    return last;
  }

  @Property(tries = 150)
  void programsGiveWhatTheInterpreterGives(@ForAll long seed) {
    RandomGraph sample = new RandomGraph(seed);
    Interpreter interpreter = new Interpreter();
    sample.inputs.forEach((storage, tensor) -> interpreter.write(storage, 0, tensor));
    interpreter.run(sample.graph);
    try (OpenDevice device = OpenDevice.open(Backend.CPU, 2);
        Memory memory = new Memory(device);
        Program program = Program.compile("program", sample.graph, memory)) {
      sample.upload(memory);
      program.run();
      sample.kept.forEach(
          (storage, value) -> {
            double[] expected = interpreter.read(storage, 0, value.type()).values();
            float[] actual = memory.floats(storage);
            double scale = 1;
            for (double e : expected) {
              scale = Math.max(scale, Math.abs(e));
            }
            for (int i = 0; i < expected.length; i++) {
              assertThat(Math.abs(actual[i] - expected[i]) <= 1e-3 * scale)
                  .as("%s[%d] = %s, expected %s", value, i, actual[i], expected[i])
                  .isTrue();
            }
          });
    }
  }

  // ---- what random graphs hit too rarely ----

  private final Graph graph = new Graph();

  private Value variable(TensorType type) {
    return graph.variable(Storage.of("input", type), type);
  }

  private Plan plan() {
    return Plan.of(graph, _ -> 0, false);
  }

  private static Plan.Step of(Plan plan, Value value) {
    return plan.steps().stream()
        .filter(step -> step.node() == value.node())
        .findFirst()
        .orElseThrow();
  }

  /**
   * y = convolution(x) + x hands one cotangent to both: the gradient's base is the very dy it
   * reads.
   */
  @Example
  void aBaseThatIsAlsoReadIsCopied() {
    Value dy = graph.value(new Elementwise.Scale(2), variable(TYPE));
    Value weight = variable(f32(4, 3, 3, 4));
    Value dx =
        graph.value(
            new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), TYPE, true),
            dy,
            weight,
            dy);
    graph.keep(dx, Storage.of("result", TYPE));
    Plan.Step step = of(plan(), dx);
    assertThat(step.outputs()[0].overlaps(step.inputs().get(0))).isFalse();
    assertThat(step.copyBase()).isTrue();
  }

  /** A batch norm may overwrite its residual, but not where the residual is what it normalises. */
  @Example
  void aResidualThatIsAlsoNormalizedIsNotOverwritten() {
    Value u = graph.value(new Elementwise.Scale(2), variable(TYPE));
    Value channels = variable(f32(4));
    Value y =
        graph.value(new Norm.BnAct(false, true, 0, 0, 1e-5f, false), u, channels, channels, u);
    graph.keep(y, Storage.of("result", TYPE));
    Plan.Step step = of(plan(), y);
    assertThat(step.outputs()[0].overlaps(step.inputs().get(0))).isFalse();
  }

  @Example
  void aBaseNobodyElseReadsIsWrittenInPlace() {
    Value dy = graph.value(new Elementwise.Scale(2), variable(TYPE));
    Value base = graph.value(new Elementwise.Scale(3), variable(TYPE));
    Value dx =
        graph.value(
            new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), TYPE, true),
            dy,
            variable(f32(4, 3, 3, 4)),
            base);
    Value last = graph.value(new Elementwise.Tanh(), dx);
    graph.keep(last, Storage.of("result", TYPE));
    Plan.Step step = of(plan(), dx);
    assertThat(step.outputs()[0]).isEqualTo(step.inputs().get(2));
    assertThat(step.copyBase()).isFalse();
  }

  @Example
  void aBaseThatIsReadLaterIsCopied() {
    Value dy = graph.value(new Elementwise.Scale(2), variable(TYPE));
    Value base = graph.value(new Elementwise.Scale(3), variable(TYPE));
    Value dx =
        graph.value(
            new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), TYPE, true),
            dy,
            variable(f32(4, 3, 3, 4)),
            base);
    graph.keep(graph.value(new Elementwise.Add(), dx, base), Storage.of("result", TYPE));
    assertThat(of(plan(), dx).copyBase()).isTrue();
  }

  @Example
  void aVariableAsBaseIsNeverOverwritten() {
    Value base = variable(TYPE);
    Value dx =
        graph.value(
            new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), TYPE, true),
            variable(TYPE),
            variable(f32(4, 3, 3, 4)),
            base);
    graph.keep(dx, Storage.of("result", TYPE));
    Plan.Step step = of(plan(), dx);
    assertThat(step.copyBase()).isTrue();
    assertThat(step.outputs()[0].storage()).isNotEqualTo(step.inputs().get(2).storage());
  }

  @Example
  void keptResultsAreComputedInTheirStorage() {
    Storage storage = new Storage("result", 4096);
    Value y =
        graph.value(new Elementwise.Scale(2), graph.value(new Elementwise.Tanh(), variable(TYPE)));
    graph.keep(y, storage, 1024);
    Plan plan = plan();
    assertThat(of(plan, y).outputs()[0]).isEqualTo(new Location(storage, 1024, TYPE.bytes()));
    assertThat(plan.steps()).allSatisfy(step -> assertThat(step.copies()).isEmpty());
    assertThat(plan.storages()).contains(storage);
  }

  @Example
  void aValueMayBeKeptInSeveralPlaces() {
    Storage first = Storage.of("first", TYPE);
    Storage second = Storage.of("second", TYPE);
    Value y = graph.value(new Elementwise.Tanh(), variable(TYPE));
    graph.keep(y, first);
    graph.keep(y, second);
    Plan.Step step = of(plan(), y);
    Location at = new Location(first, 0, TYPE.bytes());
    assertThat(step.outputs()[0]).isEqualTo(at);
    assertThat(step.copies())
        .containsExactly(new Plan.Copy(at, new Location(second, 0, TYPE.bytes())));
  }

  @Example
  void keptValuesMayNotOverlap() {
    Storage storage = new Storage("result", 2 * TYPE.bytes());
    Value y = graph.value(new Elementwise.Tanh(), variable(TYPE));
    Value z = graph.value(new Elementwise.Tanh(), y);
    graph.keep(y, storage);
    for (long offset : new long[] {0, 4, TYPE.bytes() - 4}) {
      assertThatThrownBy(() -> graph.keep(z, storage, offset))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("cannot be kept");
    }
    graph.keep(z, storage, TYPE.bytes());
  }

  /** The state moves on between the value's making and its last reader. */
  @Example
  void aKeptValueThatAnEffectChangesIsCopied() {
    TensorType state = f32(3);
    Storage storage = Storage.of("state", state);
    Value y = graph.value(new Elementwise.Tanh(), variable(state));
    graph.keep(y, storage);
    graph.apply(
        new Optimizer.SgdStep(.9f, 0, false),
        graph.variable(storage, state),
        variable(state),
        variable(state),
        variable(f32(1)));
    graph.keep(graph.value(new Elementwise.Add(), y, variable(state)), Storage.of("result", state));
    Plan.Step step = of(plan(), y);
    assertThat(step.outputs()[0].storage()).isNull();
    assertThat(step.copies())
        .containsExactly(new Plan.Copy(step.outputs()[0], new Location(storage, 0, state.bytes())));
  }

  /** x = f(x): the result may not be computed where it is still read. */
  @Example
  void aResultThatReplacesItsOwnInputIsCopied() {
    Storage storage = Storage.of("state", TYPE);
    Value x = graph.variable(storage, TYPE);
    Value weight = variable(f32(4, 3, 3, 4));
    Value y = graph.value(new Convolution.Conv2d(1, 1), x, weight);
    graph.keep(y, storage);
    Plan.Step step = of(plan(), y);
    assertThat(step.outputs()[0].storage()).isNull();
    assertThat(step.copies())
        .containsExactly(new Plan.Copy(step.outputs()[0], new Location(storage, 0, TYPE.bytes())));
  }

  @Example
  void keptVariablesAndReshapesAreCopied() {
    Value x = variable(TYPE);
    Storage plain = Storage.of("plain", TYPE);
    Storage shaped = Storage.of("shaped", TYPE);
    graph.keep(x, plain);
    graph.keep(graph.value(new Op.Reshape(f32(200)), x), shaped);
    List<Plan.Copy> copies =
        plan().steps().stream().flatMap(step -> step.copies().stream()).toList();
    assertThat(copies)
        .extracting(copy -> copy.to().storage())
        .containsExactlyInAnyOrder(plain, shaped);
  }

  @Example
  void whatNobodyReadsIsLeftOut() {
    Value x = variable(TYPE);
    Value unused = graph.value(new Elementwise.Tanh(), x);
    Node norm =
        graph.apply(
            new Norm.BnAct(false, false, 0, 0, 1e-5f, false),
            x,
            variable(f32(4)),
            variable(f32(4)));
    graph.keep(norm.output(Norm.BnAct.Y), Storage.of("result", TYPE));
    Plan plan = plan();
    assertThat(plan.steps())
        .extracting(Plan.Step::node)
        .containsExactly(norm)
        .doesNotContain(unused.node());
    Location[] outputs = plan.steps().getFirst().outputs();
    assertThat(outputs[Norm.BnAct.MASK]).isNull();
    assertThat(outputs[Norm.BnAct.BATCH_MEAN]).isNull();
    assertThat(outputs[Norm.BnAct.BATCH_VARIANCE]).isNull();
    assertThat(outputs[Norm.BnAct.ATTENTION]).isNull();
  }

  @Example
  void anOutputThatIsReadBringsItsPartner() {
    Value x = variable(TYPE);
    Node norm =
        graph.apply(
            new Norm.BnAct(false, false, 0, 0, 1e-5f, false),
            x,
            variable(f32(4)),
            variable(f32(4)));
    graph.keep(norm.output(Norm.BnAct.BATCH_VARIANCE), Storage.of("variance", f32(4)));
    Location[] outputs = plan().steps().getFirst().outputs();
    assertThat(outputs[Norm.BnAct.BATCH_MEAN]).isNotNull();
    assertThat(outputs[Norm.BnAct.Y]).isNotNull();
    assertThat(outputs[Norm.BnAct.MASK]).isNull();
  }

  @Example
  void theSameGraphAlwaysGivesTheSameLayout() {
    for (long seed = 0; seed < 20; seed++) {
      List<String> first = layout(seed);
      assertThat(layout(seed)).isEqualTo(first);
    }
  }

  private static List<String> layout(long seed) {
    List<String> layout = new ArrayList<>();
    for (Plan.Step step : Plan.of(new RandomGraph(seed).graph, _ -> 100, false).steps()) {
      for (Location location : step.outputs()) {
        layout.add(location == null ? "-" : location.offset() + "+" + location.bytes());
      }
    }
    return layout;
  }
}

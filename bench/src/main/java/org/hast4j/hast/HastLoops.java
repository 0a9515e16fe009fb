package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.bench.DeviceOperands;
import org.hast4j.bench.RandomNetwork;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.kernel.abi.PhiloxNormalFwd;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;

/**
 * The loops a run spends its time in, on a network of random weights, ready for an iteration. They
 * share the networks on the device, and are in this package because they are no user's.
 */
public final class HastLoops implements AutoCloseable {
  private static final int BITS = 4;
  // Every activation's range: random weights have no trained ones.
  private static final float RANGE_MAX = 4;
  private static final int POOL_BATCHES = 4;
  private static final long SEED = 1;

  /** One of the loops. */
  public interface Loop extends AutoCloseable {
    /** Does one iteration. */
    void iterate();

    /** Kernels that an iteration launches. */
    long launches();

    /** The last iteration's. */
    float loss();

    @Override
    void close();
  }

  private record SynthesisLoop(Synthesis synthesis) implements Loop {
    @Override
    public void iterate() {
      synthesis.iterate(0, 0);
    }

    @Override
    public long launches() {
      return synthesis.launches();
    }

    @Override
    public float loss() {
      return synthesis.losses().total();
    }

    @Override
    public void close() {
      synthesis.close();
    }
  }

  private static final class FineTuningLoop implements Loop {
    private final FineTuning fineTuning;
    private long step;

    FineTuningLoop(FineTuning fineTuning) {
      this.fineTuning = fineTuning;
    }

    @Override
    public void iterate() {
      fineTuning.iterate(step++);
    }

    @Override
    public long launches() {
      return fineTuning.launches();
    }

    @Override
    public float loss() {
      return fineTuning.losses().promoted();
    }

    @Override
    public void close() {
      fineTuning.close();
    }
  }

  private final OpenDevice device;
  private final Memory memory;
  private final Model model;
  private final Units units;
  private final Parameters teacher;
  private final Parameters student;

  public HastLoops(OpenDevice device, Model model) {
    this.device = device;
    this.model = model;
    memory = new Memory(device);
    Network network = RandomNetwork.of(model);
    teacher = new Parameters(model, "teacher");
    student = new Parameters(model, "student");
    units = Units.normal(network);
    teacher.upload(memory, units.network());
    student.upload(memory, units.network());
  }

  /** Synthesis of one batch, begun. */
  public Loop synthesis(int batch) {
    Synthesis synthesis = new Synthesis(memory, teacher, units, recipe(batch).synthesis(), SEED);
    synthesis.begin(0);
    return new SynthesisLoop(synthesis);
  }

  /** Fine-tuning at W4A4 on crops of a data set of noise. */
  public Loop fineTuning(int batch) {
    DataSet dataSet = DataSet.of(model, POOL_BATCHES * batch);
    Buffer images = memory.buffer(dataSet.images());
    try (DeviceOperands key = new DeviceOperands(device)) {
      new PhiloxNormalFwd(device.library())
          .y(images.address(0, images.bytes()))
          .key(key.filled(new long[] {SEED, 0}))
          .n(dataSet.imageType().shape().elements())
          .draw(0)
          .launch(device.stream());
      device.synchronize();
    }
    QuantizationState quantization = QuantizationState.of(model, new Scheme(new Bits(BITS, BITS)));
    float[] ranges = new float[2 * model.names(Operator.Activation.class).size()];
    for (int i = 1; i < ranges.length; i += 2) {
      ranges[i] = RANGE_MAX;
    }
    memory.buffer(quantization.ranges()).upload(0, ranges);
    return new FineTuningLoop(
        new FineTuning(
            memory,
            units,
            teacher,
            student,
            quantization,
            dataSet,
            recipe(batch).fineTuning(),
            SEED));
  }

  private static Recipe recipe(int batch) {
    Map<String, String> sizes = new LinkedHashMap<>();
    sizes.put("synthesis.images", Integer.toString(batch));
    sizes.put("synthesis.batch", Integer.toString(batch));
    sizes.put("fine-tuning.batch", Integer.toString(batch));
    // Random weights do not train, they diverge: a rate that leaves them as they are costs the
    // same.
    sizes.put("fine-tuning.learning-rate", "1e-12");
    return Recipe.read("balanced", sizes);
  }

  @Override
  public void close() {
    memory.close();
  }
}

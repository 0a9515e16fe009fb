package org.hast4j.bench;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.hast.FineTuning;
import org.hast4j.hast.Pool;
import org.hast4j.hast.Quantisation;
import org.hast4j.hast.Recipe;
import org.hast4j.hast.Synthesis;
import org.hast4j.kernel.Backend;
import org.hast4j.nn.CifarResNet;
import org.hast4j.nn.Network;
import org.hast4j.nn.Parameters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One iteration of each of the two loops a run spends its time in, on ResNet-20 with shortcut B: synthesis of a batch of
 * 256 and fine-tuning at W4A4 of a batch of 64. With {@code -prof gc} the allocation per iteration must read 0.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 5)
@Measurement(iterations = 30)
public class HastIteration {
  private static final int DEPTH = 20;
  private static final int BITS = 4;
  private static final int POOL = 512;

  @Param("2")
  public int threads;

  private Device device;
  private Memory memory;
  private Synthesis synthesis;
  private FineTuning fineTuning;
  private long step;

  @Setup(Level.Trial)
  public void open() {
    Recipe recipe =
        Recipe.read(
            "released", Map.of("synthesis.images", Integer.toString(POOL), "fine-tuning.batch", "64"));
    device = Device.open(Backend.CPU, threads, true);
    memory = new Memory(device);
    Network network = RandomNetwork.of(CifarResNet.of(DEPTH, 16, 10, CifarResNet.Shortcut.B));
    Parameters teacher = new Parameters(network.topology(), "teacher");
    Parameters student = new Parameters(network.topology(), "student");
    teacher.upload(memory, network);
    student.upload(memory, network);
    Pool pool = Pool.of(network.topology(), POOL);
    Quantisation quantisation = Quantisation.of(network.topology(), BITS, BITS);
    float[] ranges = new float[2 * network.topology().quantisers()];
    for (int i = 1; i < ranges.length; i += 2) {
      ranges[i] = 4;
    }
    memory.buffer(quantisation.ranges()).upload(0, ranges);
    synthesis = new Synthesis(memory, teacher, recipe.synthesis(), 1);
    for (int batch = 0; batch < POOL / recipe.synthesis().batch(); batch++) {
      synthesis.begin(batch);
      synthesis.finish(batch, pool);
    }
    fineTuning =
        new FineTuning(memory, teacher, student, quantisation, pool, recipe.fineTuning(), 1);
  }

  @Benchmark
  public void synthesis256() {
    synthesis.iterate(0, 0);
  }

  @Benchmark
  public void fineTuning64() {
    fineTuning.iterate(step++);
  }

  @TearDown(Level.Trial)
  public void close() {
    fineTuning.close();
    synthesis.close();
    memory.close();
    device.close();
  }
}

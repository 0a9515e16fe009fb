package org.hast4j.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.quant.Range;
import org.hast4j.session.Classifier;
import org.hast4j.session.Session;
import org.hast4j.zoo.CifarResNet;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
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
 * How long the caller of a session waits for the class of one image, on ResNet-20 with shortcut B;
 * with {@code -t} a session for each thread of one classifier.
 */
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 3, time = 3)
public class SessionLatency {
  /** What the sessions share. */
  @State(Scope.Benchmark)
  public static class Shared {
    @Param({"FLOAT", "W4A4"})
    public String bits;

    private Classifier classifier;

    @Setup
    public void load() {
      Network network = RandomNetwork.of(CifarResNet.of(20, 16, 10, CifarResNet.Shortcut.B));
      classifier =
          bits.equals("FLOAT") ? Classifier.of(network) : Classifier.of(quantized(network));
    }

    private static QuantizedNetwork quantized(Network network) {
      Scheme scheme = new Scheme(new Bits(4, 4));
      Map<String, Range> ranges = new LinkedHashMap<>();
      scheme.quantizers(network.model()).forEach(layer -> ranges.put(layer, new Range(0, 3)));
      return QuantizedNetwork.of(network, scheme, ranges, new Provenance("0".repeat(64), "", 1));
    }

    @TearDown
    public void close() {
      classifier.close();
    }
  }

  /** One caller's own. */
  @State(Scope.Thread)
  public static class Caller {
    private final byte[] pixels = new byte[32 * 32 * 3];
    private Session session;

    @Setup
    public void open(Shared shared) {
      new Random(1).nextBytes(pixels);
      session = shared.classifier.session();
    }

    @TearDown
    public void close() {
      session.close();
    }
  }

  @Benchmark
  public int classify(Caller caller) {
    return caller.session.classify(caller.pixels);
  }
}

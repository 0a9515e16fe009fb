package org.hast4j.bench;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.hast4j.session.Classifier;
import org.hast4j.session.Session;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * From a file to its first answer: the first time in a virtual machine, which has nothing of hast4j
 * yet, and the second. The file is made beforehand: {@code hast demo --keep runs/demo}, which has a
 * ResNet-20 of 4 bits.
 */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 7, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Measurement(iterations = 1)
@State(Scope.Benchmark)
public class SessionLoad {
  @Param("runs/demo/quantised.safetensors")
  public String file;

  private final byte[] pixels = new byte[32 * 32 * 3];

  @Benchmark
  @Warmup(iterations = 0)
  public int first() {
    return answer();
  }

  @Benchmark
  @Warmup(iterations = 1)
  public int second() {
    return answer();
  }

  private int answer() {
    try (Classifier classifier = Classifier.load(Path.of(file));
        Session session = classifier.session()) {
      return session.classify(pixels);
    }
  }
}

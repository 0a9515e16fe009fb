package org.hast4j.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.hast.Evaluation;
import org.hast4j.hast.Networks;
import org.hast4j.kernel.Backend;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.quant.Range;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sessions of a classifier: what they answer, and who may ask when. */
class SessionTest {
  private static final int CLASSES = 7;
  private static final Network NETWORK =
      Networks.of(CifarResNet.of(8, 4, CLASSES, CifarResNet.Shortcut.B), 1);
  private static final int SIZE = NETWORK.model().input().size();

  static QuantizedNetwork quantized() {
    Scheme scheme = new Scheme(new Bits(4, 3));
    Map<String, Range> ranges = new LinkedHashMap<>();
    scheme.quantizers(NETWORK.model()).forEach(layer -> ranges.put(layer, new Range(0, 2)));
    return QuantizedNetwork.of(NETWORK, scheme, ranges, new Provenance("0".repeat(64), "none", 1));
  }

  private static byte[] pixels(long seed) {
    byte[] pixels = new byte[SIZE];
    new Random(seed).nextBytes(pixels);
    return pixels;
  }

  /** The network's own formula on every pixel. */
  private static float[] normalized(byte[] pixels) {
    float[] mean = NETWORK.normalization().mean();
    float[] std = NETWORK.normalization().std();
    float[] values = new float[pixels.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (Byte.toUnsignedInt(pixels[i]) / 255f - mean[i % 3]) / std[i % 3];
    }
    return values;
  }

  private static float[] logits(Session session, byte[] pixels) {
    float[] logits = new float[CLASSES];
    session.classify(pixels);
    session.logits(logits);
    return logits;
  }

  private static float[] evaluated(byte[] pixels) {
    float[] logits = new float[CLASSES];
    try (OpenDevice device = OpenDevice.open(Backend.CPU, 1);
        Evaluation evaluation = Evaluation.of(device, quantized(), 1)) {
      evaluation.run(normalized(pixels), logits);
    }
    return logits;
  }

  @Test
  void answersAsTheEvaluationDoesFromAFile(@TempDir Path folder) {
    Path file = folder.resolve("quantized.safetensors");
    quantized().write(file);
    try (Classifier classifier = Classifier.load(file);
        Session session = classifier.session()) {
      for (int seed = 0; seed < 5; seed++) {
        float[] expected = evaluated(pixels(seed));
        assertThat(logits(session, pixels(seed))).isEqualTo(expected);
        int best = session.classify(pixels(seed));
        assertThat(IntStream.range(0, CLASSES)).allMatch(i -> expected[i] <= expected[best]);
      }
    }
  }

  @Test
  void aFloatNetworkIsReadToo(@TempDir Path folder) {
    Path file = folder.resolve("float.safetensors");
    Checkpoint.write(file, NETWORK);
    float[] quantized = evaluated(pixels(1));
    try (Classifier classifier = Classifier.load(file);
        Session session = classifier.session()) {
      assertThat(logits(session, pixels(1))).isNotEqualTo(quantized);
      assertThat(classifier.classes()).isEqualTo(CLASSES);
      assertThat(classifier.input()).isEqualTo(NETWORK.model().input());
    }
  }

  @Test
  void everyKindOfInputGivesTheSame() {
    byte[] pixels = pixels(3);
    try (Classifier classifier = Classifier.of(quantized());
        Session session = classifier.session(2)) {
      float[] expected = logits(session, pixels);
      ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE + 5).put(2, pixels);
      buffer.position(2).limit(2 + SIZE);
      List<Runnable> calls =
          List.of(
              () -> session.classify(buffer),
              () -> session.classify(MemorySegment.ofArray(pixels)),
              () -> session.classify(normalized(pixels)));
      for (Runnable call : calls) {
        session.classify(new byte[SIZE]);
        call.run();
        float[] logits = new float[CLASSES];
        session.logits(logits);
        assertThat(logits).isEqualTo(expected);
      }
      assertThat(buffer.position()).isEqualTo(2);
    }
  }

  @Test
  void theBestAreInOrder() {
    try (Classifier classifier = Classifier.of(quantized());
        Session session = classifier.session()) {
      float[] logits = logits(session, pixels(4));
      int[] all = new int[CLASSES];
      session.best(all);
      assertThat(all).doesNotHaveDuplicates();
      for (int i = 1; i < CLASSES; i++) {
        assertThat(logits[all[i]]).isLessThanOrEqualTo(logits[all[i - 1]]);
      }
      int[] two = new int[2];
      session.best(two);
      assertThat(two).containsExactly(all[0], all[1]);
      assertThat(session.classify(pixels(4))).isEqualTo(all[0]);
      assertThatThrownBy(() -> session.best(new int[CLASSES + 1]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("7 classes");
    }
  }

  /** Before the first image all logits are alike. */
  @Test
  void ofTwoAlikeTheLowerClassIsBetter() {
    try (Classifier classifier = Classifier.of(NETWORK);
        Session session = classifier.session()) {
      int[] three = new int[3];
      session.best(three);
      assertThat(three).containsExactly(0, 1, 2);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3071, 3073})
  void anImageOfAnotherSizeIsRefused(int size) {
    try (Classifier classifier = Classifier.of(NETWORK);
        Session session = classifier.session()) {
      assertThatThrownBy(() -> session.classify(new byte[size]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("32 rows of 32 pixels of 3 channels")
          .hasMessageContaining("got " + size);
      assertThat(session.classify(pixels(1))).isBetween(0, CLASSES - 1);
    }
  }

  @Test
  void valuesThatAreNoNumbersAreRefused() {
    try (Classifier classifier = Classifier.of(NETWORK);
        Session session = classifier.session()) {
      float[] values = new float[SIZE];
      values[5] = Float.NaN;
      assertThatThrownBy(() -> session.classify(values))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("NaN");
    }
  }

  /** Sessions side by side share the weights, and one that moves to another thread goes on. */
  @Test
  void threadsGetTheSameAnswers() throws Exception {
    List<float[]> expected = IntStream.range(0, 8).mapToObj(i -> evaluated(pixels(i))).toList();
    try (Classifier classifier = Classifier.of(quantized());
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      List<Session> sessions = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        sessions.add(classifier.session());
      }
      for (int round = 0; round < 20; round++) {
        List<Future<float[]>> answers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          Session session = sessions.get(i);
          int image = (i + round) % 8;
          answers.add(pool.submit(() -> logits(session, pixels(image))));
        }
        for (int i = 0; i < 4; i++) {
          assertThat(answers.get(i).get()).isEqualTo(expected.get((i + round) % 8));
        }
      }
      assertThat(sessions.getFirst().bytes()).isPositive();
      assertThat(classifier.bytes()).isGreaterThan(4L * NETWORK.model().parameters().size());
    }
  }

  /** Two threads on one session: each call is answered right or refused. */
  @Test
  void aSecondCallerIsRefused() throws Exception {
    float[] expected = evaluated(pixels(2));
    int label = IntStream.range(0, CLASSES).reduce(0, (a, b) -> expected[b] > expected[a] ? b : a);
    try (Classifier classifier = Classifier.of(quantized());
        Session session = classifier.session();
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      CountDownLatch refused = new CountDownLatch(1);
      Runnable caller =
          () -> {
            while (refused.getCount() > 0) {
              try {
                assertThat(session.classify(pixels(2))).isEqualTo(label);
              } catch (IllegalStateException e) {
                assertThat(e).hasMessageContaining("another thread");
                refused.countDown();
              }
            }
          };
      for (Future<?> future : List.of(pool.submit(caller), pool.submit(caller))) {
        future.get();
      }
      assertThat(session.classify(pixels(2))).isEqualTo(label);
    }
  }

  /** Memory that somebody still uses would fail the close. */
  @Test
  void closingWaitsForTheCallUnderWay() throws Exception {
    for (int round = 0; round < 10; round++) {
      Classifier classifier = Classifier.of(NETWORK);
      Session session = classifier.session();
      CountDownLatch started = new CountDownLatch(1);
      CompletableFuture<Throwable> end =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  while (true) {
                    session.classify(pixels(1));
                    started.countDown();
                  }
                } catch (IllegalStateException e) {
                  return e;
                }
              });
      started.await();
      if (round % 2 == 0) {
        session.close();
      }
      classifier.close();
      assertThat(end.get()).hasMessageContaining("closed");
      assertThatThrownBy(classifier::session).hasMessageContaining("closed");
      session.close();
      classifier.close();
    }
  }

  @Test
  void aCallAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    byte[] pixels = pixels(5);
    int[] best = new int[3];
    try (Classifier classifier = Classifier.of(quantized());
        Session session = classifier.session()) {
      session.warmUp(3000);
      long least = Long.MAX_VALUE;
      // Compiling on the way may leave something once.
      for (int round = 0; round < 20; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 50; i++) {
          session.classify(pixels);
          session.best(best);
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }
}

package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** How often a label is the first of the classes, and among the first five. */
class AccuracyTest {
  private static final int CLASSES = 12;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @Test
  void ranksAreCounted() {
    int[] ranks = {0, 0, 4, 5, 1, 12, 0, 2};
    Accuracy accuracy = Accuracy.of(ranks, 11);
    assertThat(accuracy.top1()).isEqualTo(37.5);
    assertThat(accuracy.top5()).contains(75.0);
    assertThat(accuracy).hasToString("37.50 % (top-5 75.00 %)");
    assertThat(Accuracy.of(ranks, 10)).isEqualTo(new Accuracy(37.5, Optional.empty()));
    assertThat(Accuracy.of(ranks, 10)).hasToString("37.50 %");
  }

  /** Against classes that are sorted by their logits. */
  @Test
  void aLabelsRankIsItsPlaceAmongTheLogits() {
    Network network = Networks.of(CifarResNet.of(8, 4, CLASSES, CifarResNet.Shortcut.B), 5);
    Random random = new Random(9);
    byte[] pixels = new byte[40 * 3 * 32 * 32];
    random.nextBytes(pixels);
    int[] labels = random.ints(40, 0, CLASSES).toArray();
    ImageSet images = new ImageSet(CLASSES, 3, 32, 32, labels, pixels);
    try (Evaluation evaluation = Evaluation.of(DEVICES.open(), network, 7)) {
      float[] logits =
          evaluation.logits(images.normalized(0, 40, Normalization.CIFAR10), images.count());
      Predictions predictions = evaluation.classify(images, Normalization.CIFAR10, _ -> {});
      int[] ranks = new int[40];
      for (int i = 0; i < 40; i++) {
        int start = i * CLASSES;
        List<Integer> order =
            IntStream.range(0, CLASSES)
                .boxed()
                .sorted(Comparator.comparing(c -> -logits[start + c]))
                .toList();
        ranks[i] = order.indexOf(labels[i]);
        assertThat(predictions.classes()[i]).isEqualTo(order.getFirst());
      }
      assertThat(predictions.ranks()).isEqualTo(ranks);
      assertThat(evaluation.accuracy(images, Normalization.CIFAR10, _ -> {}))
          .isEqualTo(predictions.accuracy());
      assertThat(predictions.accuracy().top1()).isEqualTo(predictions.right() / .4, within(1e-9));
      assertThat(predictions.agreement(predictions)).isEqualTo(100);
    }
  }
}

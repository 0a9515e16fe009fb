package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.model.Model;
import org.hast4j.zoo.ImageNetResNet;
import org.junit.jupiter.api.Test;

/** The generator's sizes. */
class GeneratorTest {
  @Test
  void theGeneratorStartsAtAQuarterOfTheSize() {
    ParameterLayout layout = new Generator(100, ImageNetResNet.of(18, 64, 1000, 224)).layout();
    assertThat(layout.get("l1.0.weight").type().shape().sizes())
        .containsExactly(56 * 56 * 128, 100);
    assertThat(layout.get("label_emb.weight").type().shape().sizes()).containsExactly(1000, 100);
    Model odd = ImageNetResNet.of(18, 64, 1000, 226);
    assertThatThrownBy(() -> new Generator(100, odd))
        .isInstanceOf(RefusedException.class)
        .hasMessageContainingAll("resnet18-226px", "226x226", "calibration.source");
  }
}

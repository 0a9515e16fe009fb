package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.golden.Golden;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecipeTest {
  @Test
  void quickIsBalancedWithLessOfEverything() {
    Recipe quick = Recipe.read("quick", Map.of());
    Recipe balanced = Recipe.read("balanced", Map.of());
    assertThat(quick.fineTuning().steps()).isLessThan(balanced.fineTuning().steps());
    // Only what quick includes can give it these; it must be found in a jar too.
    assertThat(quick.fineTuning().batch()).isEqualTo(64);
    assertThat(quick.normalForm()).isTrue();
  }

  @Test
  void roundingIsBalancedWithoutFineTuning() {
    Recipe rounding = Recipe.read("rounding", Map.of());
    Recipe balanced = Recipe.read("balanced", Map.of());
    assertThat(rounding.fineTuning().steps()).isZero();
    assertThat(rounding.calibration().iterations()).isEqualTo(balanced.calibration().iterations());
    assertThat(rounding.calibration().ranges()).isEqualTo(Recipe.Ranges.ERROR);
    assertThat(balanced.calibration().ranges()).isEqualTo(Recipe.Ranges.EXTREMES);
  }

  @Test
  void thoroughIsBalancedAtThePapersBudget() {
    Recipe thorough = Recipe.read("thorough", Map.of());
    Recipe paper = Recipe.read("paper", Map.of());
    Recipe balanced = Recipe.read("balanced", Map.of());
    assertThat(thorough.synthesis().images()).isEqualTo(paper.synthesis().images());
    assertThat(thorough.synthesis().iterations()).isEqualTo(paper.synthesis().iterations());
    assertThat(thorough.fineTuning().steps()).isEqualTo(paper.fineTuning().steps());
    assertThat(thorough.calibration()).isEqualTo(balanced.calibration());
    assertThat(thorough.fineTuning().learningRate(0))
        .isEqualTo(balanced.fineTuning().learningRate(0));
    assertThat(thorough.normalForm()).isTrue();
  }

  @Test
  void releasedDiffersFromThePaperInItsOdditiesOnly() {
    Recipe released = Recipe.read("released", Map.of());
    Recipe paper = Recipe.read("paper", Map.of());
    assertThat(released.synthesis()).isEqualTo(paper.synthesis());
    assertThat(released.calibration().rule()).isNotEqualTo(paper.calibration().rule());
    assertThat(paper.synthesis().images()).isEqualTo(5120);
    assertThat(paper.fineTuning().steps()).isEqualTo(29_400);
    assertThat(paper.fineTuning().decayEpochs()).isEqualTo(List.of(20, 40, 60));
  }

  /** The original counts its epochs from the start of calibration, which is its first four. */
  @Test
  void releasedLearningRateFallsWhenTheOriginals() {
    double[] original = Golden.open("optim").tensor("lr.cifar").values();
    Recipe released = Recipe.read("released", Map.of());
    Recipe.FineTuning recipe = released.fineTuning();
    int before = released.calibration().iterations() / recipe.epochSteps();
    assertThat(before + recipe.steps() / recipe.epochSteps()).isEqualTo(original.length);
    for (int epoch = before; epoch < original.length; epoch++) {
      assertThat(recipe.learningRate(epoch - before) / original[epoch])
          .as("learning rate of epoch %d over the original's", epoch)
          .isCloseTo(1, within(1e-6));
    }
  }

  @Test
  void imagenetHasThePapersSettings() {
    Recipe imagenet = Recipe.read("imagenet", Map.of());
    assertThat(imagenet.synthesis().beta()).isEqualTo(.1f);
    assertThat(imagenet.synthesis().gamma()).isEqualTo(.5f);
    assertThat(imagenet.synthesis().augment()).isTrue();
    assertThat(imagenet.synthesis().images()).isEqualTo(5120);
    Recipe.FineTuning fineTuning = imagenet.fineTuning();
    assertThat(fineTuning.batch()).isEqualTo(16);
    assertThat(fineTuning.lambda()).isEqualTo(4000);
    assertThat(fineTuning.epsilon()).isEqualTo(.01f);
    assertThat(fineTuning.learningRate(99)).isEqualTo(1e-6f);
    assertThat(fineTuning.learningRate(100)).isEqualTo(1e-7f);
  }

  /** Epochs of 20 steps, whose middles are at 10, 30, .., of a warm-up of 100; of 240 steps, 30. */
  @Test
  void balancedWarmsUp() {
    Recipe.FineTuning full = Recipe.read("balanced", Map.of()).fineTuning();
    double top = full.learningRate();
    assertThat(full.learningRate(0) / top).isCloseTo(.1, within(1e-4));
    assertThat(full.learningRate(2) / top).isCloseTo(.5, within(1e-3));
    assertThat(full.learningRate(60) / top).isCloseTo(.5, within(1e-6));
    Recipe.FineTuning brief =
        Recipe.read("balanced", Map.of("fine-tuning.steps", "240")).fineTuning();
    assertThat(brief.learningRate(0) / top).isCloseTo(1.0 / 3, within(1e-6));
    assertThat(brief.learningRate(6) / top).isCloseTo(.5, within(1e-6));
  }

  @Test
  void overridesWinAndUnknownValuesAreRefused() {
    assertThat(Recipe.read("paper", Map.of("fine-tuning.steps", "7")).fineTuning().steps())
        .isEqualTo(7);
    assertThatThrownBy(() -> Recipe.read("paper", Map.of("fine-tuning.stepz", "7")))
        .hasMessageContaining("fine-tuning.stepz");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          synthesis.iterations | 8.5  | synthesis.iterations must be a whole number, got 8.5
          synthesis.iterations | abc  | 'synthesis.iterations=abc'
          calibration.source   | disk | calibration.source must be one of [GENERATOR, SYNTHETIC]
          fine-tuning.steps    | 3e9  | 'fine-tuning.steps=3e9'
          """)
  void aBadValueIsNamedAndSoIsWhereItStands(String path, String value, String named) {
    assertThatThrownBy(() -> Recipe.read("paper", Map.of(path, value)))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(named);
  }

  @Test
  void choicesMayBeInLowerCase() {
    Recipe recipe =
        Recipe.read(
            "paper", Map.of("calibration.source", "synthetic", "fine-tuning.schedule", "cosine"));
    assertThat(recipe.calibration().source()).isEqualTo(Recipe.Source.SYNTHETIC);
    assertThat(recipe.fineTuning().schedule()).isEqualTo(Recipe.Schedule.COSINE);
  }

  /** It would count as empty otherwise, and the paper's settings would run. */
  @Test
  void aRecipeThatCannotBeReadIsRefused(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("mine.conf"), "synthesis.images = 512");
    Files.setPosixFilePermissions(file, Set.of());
    // Nothing is unreadable to root.
    assumeThat(Files.isReadable(file)).isFalse();
    assertThatThrownBy(() -> Recipe.read(file.toString(), Map.of()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContainingAll("mine.conf", "cannot be read");
  }

  @Test
  void withoutAStepThereIsARateNevertheless() {
    for (String schedule : List.of("STEPS", "COSINE")) {
      Recipe recipe =
          Recipe.read("paper", Map.of("fine-tuning.steps", "0", "fine-tuning.schedule", schedule));
      assertThat(recipe.fineTuning().learningRate(0)).isEqualTo(1e-5f);
    }
  }
}

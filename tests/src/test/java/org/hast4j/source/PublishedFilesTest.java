package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.hast4j.io.Safetensors;
import org.hast4j.io.StoredTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Files that others have published; they may not be passed on, so the test skips where they are not
 * at hand. What they hold was computed with PyTorch.
 */
class PublishedFilesTest {
  private static final Path NETWORKS = Path.of("../../shared/networks");
  private static final Path WEIGHTS = Path.of("../../shared/weights");

  private static Source read(String name) {
    Path file = NETWORKS.resolve(name);
    assumeTrue(Files.isRegularFile(file), () -> "skipped: no " + file);
    return Source.read(file);
  }

  /** How many values the floating tensors have, their sum and the sum of their magnitudes. */
  @ParameterizedTest
  @CsvSource({
    "akamaster_resnet20-12fca82f.th, 97, 271098, 139.7826495598208, 21349.562590950623",
    "apot_res20_32bit_model_best.pth.tar, 128, 274042, -541.9125223501562, 8447.650772904224",
    "benjames03_resnet20_v2.pth, 128, 274042, -634.4162129845968, 10410.132112367242",
    "ericsciencer_densenet_cifar10.pth, 601, 793246, 7044.845942312185, 74546.2208108249",
    "hairymax_AntiSpoofing_bin_1.5_128.pth, 391, 707525, 248.7403470894472, 4070.7903114767587",
    "intel-distiller_channel_pruned_resnet20.pth.tar, 107, 237218, 349.8743013574197,"
        + " 20909.37562227147",
    "intel-distiller_checkpoint_trained_dense.pth.tar, 107, 274042, 584.4986256228832,"
        + " 23687.25805898869",
    "kchahal_WRN16_1_cifar10.pth, 82, 175994, -246.6222323221832, 6563.631747341724",
    "kchahal_resnet20_cifar10.pth, 134, 285450, 286.96081910877183, 9130.421268714625",
    "kchahal_resnet20_cifar100.pth, 134, 308580, 1763.1886110860985, 16371.90249701585",
    "vnncomp2021_resnet4b_model_best.pth, 26, 123734, -142.80475573392374, 4918.999760225795"
  })
  void holdWhatPyTorchReads(String name, int tensors, long values, double sum, double absolute) {
    Source source = read(name);
    assertThat(source.tensors()).hasSize(tensors);
    long count = 0;
    double total = 0;
    double magnitude = 0;
    for (StoredTensor tensor : source.tensors().values()) {
      if (tensor.dtype().isFloating()) {
        for (float value : tensor.floats()) {
          count++;
          total += value;
          magnitude += Math.abs(value);
        }
      }
    }
    assertThat(count).isEqualTo(values);
    // The order of additions differs.
    assertThat(total).isCloseTo(sum, within(1e-9 * absolute));
    assertThat(magnitude).isCloseTo(absolute, within(1e-9 * absolute));
  }

  /** The same network in both formats, converted by another program. */
  @ParameterizedTest
  @CsvSource({
    "akamaster_resnet20-12fca82f.th, cifar10_resnet20_optA_akamaster.safetensors",
    "apot_res20_32bit_model_best.pth.tar, cifar10_resnet20_optB_apot.safetensors"
  })
  void areEqualInOtherFormats(String torch, String safetensors) {
    Path file = WEIGHTS.resolve(safetensors);
    assumeTrue(Files.isRegularFile(file), () -> "skipped: no " + file);
    Map<String, StoredTensor> tensors = read(torch).tensors();
    Safetensors converted = Safetensors.read(file);
    int compared = 0;
    for (String name : converted.names()) {
      StoredTensor tensor = tensors.get("module." + name);
      if (tensor != null && tensor.dtype().isFloating()) {
        assertThat(tensor.shape()).isEqualTo(converted.tensor(name).shape());
        assertThat(tensor.floats()).containsExactly(converted.tensor(name).floats());
        compared++;
      }
    }
    assertThat(compared).isGreaterThan(90);
  }

  @Test
  void sayWhatStandsBesideTheWeights() {
    Source pruned = read("intel-distiller_channel_pruned_resnet20.pth.tar");
    assertThat(pruned.metadata())
        .isEqualTo(Map.of("epoch", "277", "best_top1", "91.42", "arch", "resnet20_cifar"));
    assertThat(pruned.notes())
        .isEqualTo(
            List.of(
                "took \"state_dict\" of \"thinning_recipes\", \"epoch\", \"best_top1\","
                    + " \"state_dict\", \"arch\", \"compression_sched\", \"optimizer\""));
    assertThat(read("vnncomp2021_resnet4b_model_best.pth").metadata())
        .containsEntry("test_acc", "0.772");
    assertThat(read("kchahal_resnet20_cifar10.pth").notes())
        .containsExactly(
            "took \"model_state_dict\" of \"model_state_dict\", \"optimizer_state_dict\","
                + " \"epoch\"");
  }
}

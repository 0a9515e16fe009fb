package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files written by another program, with facts that their README states. */
class GoldenFilesTest {

  @ParameterizedTest
  @CsvSource({
    "act_quant, 116",
    "augment, 21",
    "bns_loss, 29",
    "finetune_steps_w3a3, 247",
    "finetune_steps_w4a4, 377",
    "hard_ce, 26",
    "kd_fa, 33",
    "optim, 15",
    "small_resnet20, 107",
    "synth_steps, 16",
    "warmup_steps, 207",
    "weight_quant, 167"
  })
  void everyTensorIsRead(String name, int tensors) throws URISyntaxException {
    Safetensors golden = open(name);
    assertThat(golden.names()).hasSize(tensors);
    assertThat(golden.metadata()).containsKey("what");
    for (String tensorName : golden.names()) {
      Safetensors.Tensor tensor = golden.tensor(tensorName);
      int length =
          switch (tensor.dtype()) {
            case F64, F32, F16, BF16 -> tensor.doubles().length;
            case I64, I32, I8, U8 -> tensor.longs().length;
          };
      assertThat((long) length).isEqualTo(tensor.shape().elements());
    }
  }

  @Test
  void theValuesAreTheDocumentedOnes() throws URISyntaxException {
    Safetensors.Tensor weight = open("weight_quant").tensor("conv_w");
    assertThat(weight.shape()).isEqualTo(Shape.of(6, 3, 3, 3));
    float[] values = weight.floats();
    for (int i = 0; i < 27; i++) {
      assertThat(values[3 * 27 + i]).isPositive();
      assertThat(values[4 * 27 + i]).isZero();
      assertThat(values[5 * 27 + i]).isEqualTo(.25f);
    }
    Safetensors hardCe = open("hard_ce");
    assertThat(hardCe.tensor("labels").dtype()).isEqualTo(DType.I64);
    assertThat(Arrays.stream(hardCe.tensor("labels").longs()).boxed())
        .hasSize(8)
        .allMatch(label -> label >= 0 && label < 10);
    long[] signs = open("finetune_steps_w4a4").tensor("f64.it0.sgn_u8_plus1").longs();
    assertThat(Arrays.stream(signs).boxed()).allMatch(sign -> sign >= 0 && sign <= 2);
  }

  private static Safetensors open(String name) throws URISyntaxException {
    var resource = GoldenFilesTest.class.getResource("/golden/" + name + ".safetensors");
    return Safetensors.read(Path.of(Objects.requireNonNull(resource, name).toURI()));
  }
}

package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.hast.Accuracy;
import org.hast4j.hast.Evaluation;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A user's own test images, in folders and lists, from the command line. */
class TestSetProcessTest {
  private static final int CLASSES = 12;
  private static final int EACH = 3;
  private static final int SIDE = 32;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private static Path scratch;
  private static Path network;
  private static Path pictures;
  private static Path classes;
  private static ImageSet images;

  /** Names in another order than the classes. */
  private static String name(int label) {
    return "w%02d".formatted(label * 7 % CLASSES);
  }

  @BeforeAll
  static void write() throws IOException {
    Network tiny = TinyNetwork.of(CLASSES);
    network = scratch.resolve("tiny.safetensors");
    Checkpoint.write(network, tiny);
    pictures = scratch.resolve("val");
    classes = scratch.resolve("classes.txt");
    Random random = new Random(4);
    int area = SIDE * SIDE;
    int[] labels = new int[CLASSES * EACH];
    byte[] pixels = new byte[labels.length * 3 * area];
    random.nextBytes(pixels);
    List<String> names = new ArrayList<>();
    List<String> list = new ArrayList<>();
    for (int i = 0; i < labels.length; i++) {
      labels[i] = i / EACH;
      BufferedImage image = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
      for (int at = 0; at < area; at++) {
        int red = Byte.toUnsignedInt(pixels[3 * i * area + at]);
        int green = Byte.toUnsignedInt(pixels[(3 * i + 1) * area + at]);
        int blue = Byte.toUnsignedInt(pixels[(3 * i + 2) * area + at]);
        image.setRGB(at % SIDE, at / SIDE, red << 16 | green << 8 | blue);
      }
      Path file = pictures.resolve(name(labels[i])).resolve(i + ".png");
      Files.createDirectories(file.getParent());
      assertThat(ImageIO.write(image, "png", file.toFile())).isTrue();
      list.add(pictures.relativize(file) + " " + labels[i]);
      if (i % EACH == 0) {
        names.add(name(labels[i]) + " and more words");
      }
    }
    Files.write(scratch.resolve("val_list.txt"), list);
    Files.write(classes, names);
    images = new ImageSet(CLASSES, 3, SIDE, SIDE, labels, pixels);
  }

  private static JsonNode json(HastProcess.Outcome outcome) throws IOException {
    assertThat(outcome.code()).as(outcome.err()).isZero();
    return new ObjectMapper().readTree(outcome.out());
  }

  private static HastProcess.Outcome evaluate(Path data, String... more) {
    return HastProcess.run(
        scratch,
        Stream.concat(
                Stream.of("evaluate", network.toString(), "--data", data.toString()),
                Stream.of(more))
            .toArray(String[]::new));
  }

  private static Accuracy expected() {
    try (Evaluation evaluation =
        Evaluation.of(DEVICES.open(), Checkpoint.read(network), CLASSES * EACH)) {
      return evaluation.accuracy(images, Normalization.CIFAR10, _ -> {});
    }
  }

  /** The same images by their folders, and by a list beside them. */
  @Test
  void foldersAndListsAreTheSameImages() throws IOException {
    Accuracy expected = expected();
    JsonNode folders = json(evaluate(pictures, "--classes", classes.toString(), "--json"));
    JsonNode list = json(evaluate(scratch.resolve("val_list.txt"), "--json"));
    for (JsonNode found : List.of(folders, list)) {
      assertThat(found.get("images").asInt()).isEqualTo(CLASSES * EACH);
      assertThat(found.get("accuracy").asDouble()).isEqualTo(expected.top1());
      assertThat(found.get("top5").asDouble()).isEqualTo(expected.top5().orElseThrow());
    }
  }

  @Test
  void aRunIsFollowedAndItsSpecSaysHowPicturesAreResized() throws IOException {
    Path folder = scratch.resolve("run");
    List<String> command =
        new ArrayList<>(
            List.of(
                "quantize",
                network.toString(),
                "--bits=W8A8",
                "--resize=squash",
                "--test=" + pictures,
                "--classes=" + classes,
                "--out=" + folder,
                "--json"));
    command.addAll(TinyNetwork.RECIPE);
    HastProcess.Outcome outcome = HastProcess.run(scratch, command.toArray(String[]::new));
    JsonNode json = json(outcome);
    assertThat(json.get("full_precision_accuracy").asDouble()).isEqualTo(expected().top1());
    assertThat(json.get("full_precision_top5").asDouble())
        .isEqualTo(expected().top5().orElseThrow());
    assertThat(json.get("rounded_top5").asDouble()).isBetween(0.0, 100.0);
    assertThat(outcome.err()).contains("the order of the classes: " + classes);
    assertThat(Files.readString(folder.resolve("spec.json"))).contains("\"squash\"");
  }

  /** Sorted folders would give the classes other numbers. */
  @Test
  void aSubsetWithoutNamesIsRefused() throws IOException {
    Path subset = scratch.resolve("subset");
    Files.createDirectories(subset.resolve("w03"));
    Refusals.check(
        evaluate(subset),
        "subset has 1 folders, the network tells 12 classes apart",
        "(--classes)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          1 | --data=nosuch           | there is no test set nosuch: it is cifar10, or the path
          1 | --resize=16             | a shorter side of 16 pixels are too small
          2 | --resize=large          | 'large' is neither a number of pixels nor squash
          2 | --interpolation=nearest | nearest
          """)
  void misuseIsExplained(int code, String option, String named) {
    HastProcess.Outcome outcome = HastProcess.run(scratch, "evaluate", network.toString(), option);
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(code);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).contains(named).doesNotContain("\tat ", "Exception");
  }
}

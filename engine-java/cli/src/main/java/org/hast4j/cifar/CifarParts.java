package org.hast4j.cifar;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.hast4j.cifar.Cifar10.Split;

/**
 * Puts the records of CIFAR-10 together from the files of any version that comes along, in any
 * order:
 *
 * <ul>
 *   <li>the binary version: {@code data_batch_1.bin} to {@code 5} and {@code test_batch.bin}, 10
 *       000 records each;
 *   <li>sprites: {@code data_batch_1.png} to {@code 5} and {@code test_batch.png}, one image per
 *       row of 1024 RGB pixels, with {@code train_lables.json} and {@code test_lables.json} (so
 *       spelt);
 *   <li>this library's own cache: {@code train.bin} and {@code test.bin}.
 * </ul>
 */
final class CifarParts {
  private static final int BATCH_IMAGES = 10_000;
  private static final int AREA = Cifar10.SIDE * Cifar10.SIDE;
  private static final JsonFactory JSON = new JsonFactory();
  private static final Pattern NAME =
      Pattern.compile("(?:data_batch_([1-5])|(test)_batch)\\.(bin|png)|(train|test)_lables\\.json");
  private static final Pattern PYTHON_NAME = Pattern.compile("(?:data_batch_[1-5]|test_batch)");

  private final byte[] train = new byte[Split.TRAIN.bytes()];
  private final byte[] test = new byte[Split.TEST.bytes()];
  private final Set<String> missing = new TreeSet<>();

  CifarParts() {
    for (Split split : Split.values()) {
      for (int batch = 0; batch < batches(split); batch++) {
        missing.add(pixelsOf(split, batch));
        missing.add(labelsOf(split, batch));
      }
    }
  }

  /** Whether {@link #add} can use a file of that name. */
  static boolean wants(String name) {
    return NAME.matcher(name).matches() || splitOf(name) != null;
  }

  /** Whether a file of that name belongs to the pickled version, which is not read here. */
  static boolean isPythonVersion(String name) {
    return PYTHON_NAME.matcher(name).matches();
  }

  boolean complete() {
    return missing.isEmpty();
  }

  /** What is still missing, for a message. */
  String missing() {
    return String.join(", ", missing);
  }

  /** The records of one split in the binary layout; right only once {@link #complete}. */
  byte[] records(Split split) {
    return switch (split) {
      case TRAIN -> train;
      case TEST -> test;
    };
  }

  /**
   * Takes in one file.
   *
   * @throws IOException if its content has not the size or form that its name promises
   */
  void add(String name, byte[] content) throws IOException {
    Split whole = splitOf(name);
    if (whole != null) {
      addRecords(name, content, whole, 0, batches(whole));
      return;
    }
    Matcher parsed = NAME.matcher(name);
    if (!parsed.matches()) {
      throw new IllegalArgumentException(name);
    }
    if (parsed.group(4) != null) {
      addLabels(name, content, parsed.group(4).equals("train") ? Split.TRAIN : Split.TEST);
      return;
    }
    Split split = parsed.group(2) == null ? Split.TRAIN : Split.TEST;
    int batch = parsed.group(1) == null ? 0 : Integer.parseInt(parsed.group(1)) - 1;
    if (parsed.group(3).equals("bin")) {
      addRecords(name, content, split, batch, 1);
    } else {
      addSprites(name, content, split, batch);
    }
  }

  private void addRecords(String name, byte[] content, Split split, int batch, int batches)
      throws IOException {
    int expected = batches * BATCH_IMAGES * Cifar10.RECORD_BYTES;
    if (content.length != expected) {
      throw new IOException(
          "%s has %d bytes instead of %d".formatted(name, content.length, expected));
    }
    System.arraycopy(content, 0, records(split), recordOffset(batch * BATCH_IMAGES), expected);
    for (int i = batch; i < batch + batches; i++) {
      missing.remove(pixelsOf(split, i));
      missing.remove(labelsOf(split, i));
    }
  }

  private void addLabels(String name, byte[] content, Split split) throws IOException {
    byte[] records = records(split);
    int count = 0;
    try (JsonParser json = JSON.createParser(content)) {
      if (json.nextToken() != JsonToken.START_ARRAY) {
        throw new IOException(name + " is not a JSON array");
      }
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (count < split.images()) {
          records[recordOffset(count)] = json.getByteValue();
        }
        count++;
      }
    }
    if (count != split.images()) {
      throw new IOException(
          "%s has %d labels instead of %d".formatted(name, count, split.images()));
    }
    for (int batch = 0; batch < batches(split); batch++) {
      missing.remove(labelsOf(split, batch));
    }
  }

  private void addSprites(String name, byte[] content, Split split, int batch) throws IOException {
    BufferedImage sprites =
        ImageIO.read(new MemoryCacheImageInputStream(new ByteArrayInputStream(content)));
    if (sprites == null) {
      throw new IOException(name + " is not a PNG image");
    }
    Raster raster = sprites.getRaster();
    if (raster.getWidth() != AREA
        || raster.getHeight() != BATCH_IMAGES
        || raster.getNumBands() < Cifar10.CHANNELS
        || sprites.getColorModel().getComponentSize(0) != Byte.SIZE) {
      throw new IOException(
          "%s is %d x %d with %d channels instead of %d x %d with %d"
              .formatted(
                  name,
                  raster.getWidth(),
                  raster.getHeight(),
                  raster.getNumBands(),
                  AREA,
                  BATCH_IMAGES,
                  Cifar10.CHANNELS));
    }
    byte[] records = records(split);
    int[] plane = new int[AREA];
    for (int image = 0; image < BATCH_IMAGES; image++) {
      int target = recordOffset(batch * BATCH_IMAGES + image) + 1;
      for (int channel = 0; channel < Cifar10.CHANNELS; channel++) {
        raster.getSamples(0, image, AREA, 1, channel, plane);
        for (int value : plane) {
          records[target++] = (byte) value;
        }
      }
    }
    missing.remove(pixelsOf(split, batch));
  }

  private static int recordOffset(int image) {
    return image * Cifar10.RECORD_BYTES;
  }

  private static int batches(Split split) {
    return split.images() / BATCH_IMAGES;
  }

  private static Split splitOf(String name) {
    for (Split split : Split.values()) {
      if (split.fileName().equals(name)) {
        return split;
      }
    }
    return null;
  }

  private static String pixelsOf(Split split, int batch) {
    return "images of " + batchName(split, batch);
  }

  private static String labelsOf(Split split, int batch) {
    return "labels of " + batchName(split, batch);
  }

  private static String batchName(Split split, int batch) {
    return switch (split) {
      case TRAIN -> "data_batch_" + (batch + 1);
      case TEST -> "test_batch";
    };
  }
}

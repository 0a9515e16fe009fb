package org.hast4j.cli;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;

/**
 * A folder of images without labels, and its folders, in the order of their paths. Each is scaled
 * until its shorter side is the network's and cut to its middle.
 */
final class ImageFolder {
  private static final Set<String> EXTENSIONS = Set.of("jpg", "jpeg", "png", "bmp", "gif");

  private ImageFolder() {}

  /**
   * Reads all images of a folder.
   *
   * @throws RefusedException if there is none, or the network takes no RGB images
   * @throws CorruptFileException naming a file that is no image
   */
  static ImageSet read(Path folder, Model model, Reporter reporter) {
    Model.Input input = model.input();
    if (input.channels() != 3) {
      throw new RefusedException(
          "%s takes images of %d channels, a folder has those of 3"
              .formatted(model.name(), input.channels()));
    }
    List<Path> files = files(folder);
    if (files.isEmpty()) {
      throw new RefusedException(
          "%s holds no images (files named %s)".formatted(folder, EXTENSIONS));
    }
    long bytes = files.size() * input.size();
    if (bytes > Integer.MAX_VALUE) {
      throw new RefusedException(
          "%s holds %d images, %d of the network's size fit"
              .formatted(folder, files.size(), Integer.MAX_VALUE / input.size()));
    }
    byte[] pixels = new byte[(int) bytes];
    try (Meter meter = reporter.meter(folder.toString(), Meter.Unit.IMAGES, 0, files.size())) {
      for (int i = 0; i < files.size(); i++) {
        put(image(files.get(i)), input, pixels, i * (int) input.size());
        meter.at(i + 1);
      }
    }
    return new ImageSet(
        model.classes(),
        input.channels(),
        input.height(),
        input.width(),
        new int[files.size()],
        pixels);
  }

  private static List<Path> files(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new RefusedException(
          folder + (Files.exists(folder) ? " is no folder" : ": there is no such folder"));
    }
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(ImageFolder::isImage).sorted().toList();
    } catch (IOException e) {
      throw new UnreadableFileException(folder, e);
    }
  }

  private static boolean isImage(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1))
        && Files.isRegularFile(file);
  }

  private static BufferedImage image(Path file) {
    try {
      BufferedImage image = ImageIO.read(file.toFile());
      if (image == null) {
        throw new CorruptFileException(file, "it is no image that Java reads, whatever its name");
      }
      return image;
    } catch (IOException | RuntimeException e) {
      // Readers throw whatever a damaged file leads to.
      throw new CorruptFileException(file, "it cannot be read as an image: " + e.getMessage(), e);
    }
  }

  /** Puts an image into [channel][row][column] bytes. */
  private static void put(BufferedImage image, Model.Input input, byte[] pixels, int start) {
    int height = input.height();
    int width = input.width();
    BufferedImage cut = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    double scale = Math.max((double) width / image.getWidth(), (double) height / image.getHeight());
    BufferedImage source = halved(image, scale);
    double rest =
        Math.max((double) width / source.getWidth(), (double) height / source.getHeight());
    Graphics2D graphics = cut.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
    graphics.translate(
        (width - source.getWidth() * rest) / 2, (height - source.getHeight() * rest) / 2);
    graphics.scale(rest, rest);
    graphics.drawImage(source, 0, 0, null);
    graphics.dispose();
    int area = height * width;
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < width; column++) {
        int rgb = cut.getRGB(column, row);
        int at = start + row * width + column;
        pixels[at] = (byte) (rgb >> 16);
        pixels[at + area] = (byte) (rgb >> 8);
        pixels[at + 2 * area] = (byte) rgb;
      }
    }
  }

  /**
   * Halves an image as often as it is more than twice too large: bilinear sampling skips pixels.
   */
  private static BufferedImage halved(BufferedImage image, double scale) {
    BufferedImage now = image;
    for (double left = scale; left <= 0.5; left *= 2) {
      int width = Math.max(1, now.getWidth() / 2);
      int height = Math.max(1, now.getHeight() / 2);
      BufferedImage half = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
      Graphics2D graphics = half.createGraphics();
      graphics.setRenderingHint(
          RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      graphics.drawImage(now, 0, 0, width, height, null);
      graphics.dispose();
      now = half;
    }
    return now;
  }
}

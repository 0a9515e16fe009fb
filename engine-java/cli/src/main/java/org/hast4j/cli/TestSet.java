package org.hast4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import org.hast4j.cifar.CifarFile;
import org.hast4j.data.ImageSet;
import org.hast4j.data.LabeledImages;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.nn.Network;
import org.hast4j.picture.LabeledFiles;
import org.hast4j.picture.PictureSet;

/**
 * Labelled images that the user names: {@code cifar10}, or a path.
 *
 * @param name what it is called, for people
 */
record TestSet(String name, LabeledImages images) {
  /** What stands for CIFAR-10's test images in the user's cache. */
  static final String CIFAR10 = "cifar10";

  private static final int LOOKED_AT = 4096;

  /** What the option that names one takes, for its description. */
  static final String WHAT =
      "cifar10 (fetched if need be), a folder with a folder of pictures for each class, a text file"
          + " of lines \"path class\", or CIFAR-10's or CIFAR-100's binary file or its folder";

  /**
   * Opens a set.
   *
   * @throws RefusedException if it does not fit the network, or nothing says which class is which
   */
  static TestSet open(String given, Network network, ClassOptions classes, Reporter reporter) {
    if (given.equalsIgnoreCase(CIFAR10)) {
      CifarImages.check(network.model());
      return new TestSet(
          "CIFAR-10 test images", new CifarImages(reporter).obtained(Cifar10.Split.TEST));
    }
    Path path = Path.of(given);
    if (!Files.exists(path)) {
      throw new RefusedException(
          "there is no test set %s: it is %s, or the path of a folder or file"
              .formatted(given, CIFAR10));
    }
    int count = network.model().classes();
    Optional<Path> cifar =
        Files.isDirectory(path)
            ? CifarFile.in(path, count)
            : isText(path) ? Optional.empty() : Optional.of(path);
    String name = "images of " + given;
    if (cifar.isPresent()) {
      return new TestSet(name, CifarFile.read(cifar.get(), count));
    }
    LabeledFiles files =
        Files.isDirectory(path)
            ? LabeledFiles.ofFolders(path, count, classes.names(network))
            : LabeledFiles.ofList(path, count, classes.names(network));
    reporter.note(
        "%d images of %s; the order of the classes: %s"
            .formatted(files.files().size(), given, files.order()));
    return new TestSet(name, pictures(files, network));
  }

  /** Pictures as a network takes them. */
  static PictureSet pictures(LabeledFiles files, Network network) {
    return new PictureSet(files, network.model(), network.preprocessing().resize());
  }

  /** All of a set in memory, for what goes through it again and again, where it is small. */
  TestSet kept(Reporter reporter) {
    if (!(images instanceof PictureSet pictures)
        || pictures.bytes() > Runtime.getRuntime().maxMemory() / 8) {
      return this;
    }
    return new TestSet(name, decoded(name, pictures, reporter));
  }

  /** All of a set in memory. */
  static ImageSet decoded(String name, PictureSet pictures, Reporter reporter) {
    try (Meter meter = reporter.meter(name, Meter.Unit.IMAGES, 0, pictures.count())) {
      return pictures.decoded(meter::at);
    }
  }

  /** Whether a file begins without control characters, as no binary file does for long. */
  private static boolean isText(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      for (byte value : in.readNBytes(LOOKED_AT)) {
        if (value >= 0 && value < ' ' && value != '\t' && value != '\n' && value != '\r') {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
  }
}

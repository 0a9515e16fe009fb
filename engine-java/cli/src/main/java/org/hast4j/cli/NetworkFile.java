package org.hast4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.hast.Images;
import org.hast4j.hast.Job;
import org.hast4j.hast.Recipe;
import org.hast4j.io.Sha256;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Preprocessing;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.zoo.Given;
import org.hast4j.zoo.NetworkReader;
import org.hast4j.zoo.QuantizedFile;

/**
 * A network and the file it came from.
 *
 * @param network the network, dequantised where the file holds a quantised one
 * @param assumptions what the file did not say, for people
 * @param quantized what the file holds if it is a quantised network
 */
record NetworkFile(
    Path path,
    String sha256,
    Network network,
    List<String> assumptions,
    Optional<QuantizedNetwork> quantized) {
  private static final String EXTENSION = ".safetensors";

  /** Reads a float or a quantised network. */
  static NetworkFile read(Path path, Given given) {
    if (!Files.isRegularFile(path)) {
      throw new RefusedException(
          path + (Files.exists(path) ? ": it is not a file" : ": there is no such file"));
    }
    String sha256 = Sha256.of(path);
    if (!QuantizedFile.isOne(path)) {
      NetworkReader.Read read = NetworkReader.read(path, given);
      return new NetworkFile(path, sha256, read.network(), read.assumptions(), Optional.empty());
    }
    if (given.description().isPresent()) {
      throw new RefusedException(
          path + ": it is a quantised network, which says its structure itself: leave out --model");
    }
    QuantizedNetwork quantized = QuantizedFile.read(path);
    Network network = quantized.dequantized();
    return new NetworkFile(
        path,
        sha256,
        network
            .with(
                new Preprocessing(
                    given.normalization().orElse(network.normalization()),
                    network.preprocessing().resize()),
                network.classNames())
            .with(given.resize()),
        List.of(),
        Optional.of(quantized));
  }

  /** Reads a float network. */
  static NetworkFile readFloat(Path path, Given given) {
    NetworkFile file = read(path, given);
    if (file.quantized.isPresent()) {
      throw new RefusedException(
          path + ": it is quantised already; give the full-precision network that it came from");
    }
    return file;
  }

  /** What a run on the network is to do. */
  Job job(Scheme scheme, Recipe recipe, Images images, long seed) {
    return new Job(network, sha256, scheme, recipe, images, seed);
  }

  /** The file's name without its extension. */
  String name() {
    String name = path.getFileName().toString();
    return name.endsWith(EXTENSION) ? name.substring(0, name.length() - EXTENSION.length()) : name;
  }

  long bytes() {
    return size(path);
  }

  static long size(Path path) {
    try {
      return Files.size(path);
    } catch (IOException e) {
      throw new UnreadableFileException(path, e);
    }
  }
}

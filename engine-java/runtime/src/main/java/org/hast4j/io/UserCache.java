package org.hast4j.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Where this program keeps what it can obtain again. */
public final class UserCache {
  private UserCache() {}

  /**
   * {@code hast4j} in {@code $XDG_CACHE_HOME}, {@code $HOME/.cache}, or that of the home the system
   * knows; {@code hast4j-USER} in the temporary folder where it knows none. It need not exist yet.
   */
  public static Path folder() {
    return folder(
        System.getenv(),
        System.getProperty("user.home"),
        Path.of(System.getProperty("java.io.tmpdir")),
        user());
  }

  /**
   * The same for an environment.
   *
   * @param systemHome {@code ?} where the system has no entry for the user, as Java puts it
   * @param temporary the folder for what need not last
   * @param user tells users apart who share that folder
   */
  static Path folder(
      Map<String, String> environment, String systemHome, Path temporary, String user) {
    // Java's idea of home is the system's: whoever sets HOME, as for a user without an entry in
    // the system's list, wants another one.
    Optional<Path> home =
        Stream.of(environment.get("HOME"), systemHome)
            .flatMap(path -> absolute(path).stream())
            .findFirst();
    return absolute(environment.get("XDG_CACHE_HOME"))
        .or(() -> home.map(path -> path.resolve(".cache")))
        .map(path -> path.resolve("hast4j"))
        // Not below the working directory, where nobody would look for a cache or expect one.
        .orElseGet(() -> temporary.toAbsolutePath().resolve("hast4j-" + user));
  }

  /** A path, unless it is missing, relative or none: the XDG specification wants those ignored. */
  private static Optional<Path> absolute(String path) {
    try {
      return Optional.ofNullable(path).map(Path::of).filter(Path::isAbsolute);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  /** The user's number, which one without a name has too. */
  private static String user() {
    try {
      return Files.getAttribute(Path.of("/proc/self"), "unix:uid").toString();
    } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
      return System.getProperty("user.name").replaceAll("[^\\w.-]", "_");
    }
  }
}

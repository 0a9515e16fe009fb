package org.hast4j.io;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** Where this program keeps what it can obtain again. */
public final class UserCache {
  private UserCache() {}

  /**
   * {@code hast4j} in {@code $XDG_CACHE_HOME}, {@code $HOME/.cache}, or that of the home the system
   * knows; it need not exist yet.
   */
  public static Path folder() {
    return folder(System.getenv(), System.getProperty("user.home"));
  }

  static Path folder(Map<String, String> environment, String systemHome) {
    // Java's idea of home is the system's: whoever sets HOME, as for a user without an entry in
    // the system's list, wants another one.
    Path home = absolute(environment.get("HOME")).orElseGet(() -> Path.of(systemHome));
    return absolute(environment.get("XDG_CACHE_HOME"))
        .orElseGet(() -> home.resolve(".cache"))
        .resolve("hast4j");
  }

  /** A path, unless it is missing or relative: the XDG specification wants such ones ignored. */
  private static Optional<Path> absolute(String path) {
    return Optional.ofNullable(path).map(Path::of).filter(Path::isAbsolute);
  }
}

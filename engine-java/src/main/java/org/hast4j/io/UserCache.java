package org.hast4j.io;

import java.nio.file.Path;

/** Where this program keeps what it can obtain again. */
public final class UserCache {
  private UserCache() {}

  /** {@code hast4j} in {@code $XDG_CACHE_HOME} or {@code ~/.cache}; it need not exist yet. */
  public static Path folder() {
    String configured = System.getenv("XDG_CACHE_HOME");
    // The XDG specification wants relative paths ignored.
    Path base =
        configured != null && Path.of(configured).isAbsolute()
            ? Path.of(configured)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("hast4j");
  }
}

package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class UserCacheTest {
  private static Path folder(Map<String, String> environment) {
    return folder(environment, "/system/home");
  }

  private static Path folder(Map<String, String> environment, String systemHome) {
    return UserCache.folder(environment, systemHome, Path.of("/tmp"), "1234");
  }

  @Test
  void theNarrowestWishWins() {
    assertThat(folder(Map.of())).hasToString("/system/home/.cache/hast4j");
    assertThat(folder(Map.of("HOME", "/my/home"))).hasToString("/my/home/.cache/hast4j");
    assertThat(folder(Map.of("HOME", "/my/home", "XDG_CACHE_HOME", "/my/cache")))
        .hasToString("/my/cache/hast4j");
  }

  @Test
  void relativeWishesAndNoPathsAreIgnored() {
    assertThat(folder(Map.of("HOME", "", "XDG_CACHE_HOME", "cache")))
        .hasToString("/system/home/.cache/hast4j");
    assertThat(folder(Map.of("HOME", "/\0", "XDG_CACHE_HOME", "/\0")))
        .hasToString("/system/home/.cache/hast4j");
  }

  /** As Java puts it where HOME is not set and the system has no entry for the user. */
  @ParameterizedTest
  @NullSource
  @ValueSource(strings = {"?", "", "home", "./home"})
  void withoutAHomeItIsTheUsersOwnInTheTemporaryFolder(String home) {
    assertThat(folder(Map.of(), home)).hasToString("/tmp/hast4j-1234");
    assertThat(folder(Map.of("HOME", "?"), home)).hasToString("/tmp/hast4j-1234");
    assertThat(folder(Map.of("HOME", "/my/home"), home)).hasToString("/my/home/.cache/hast4j");
    assertThat(folder(Map.of("XDG_CACHE_HOME", "/my/cache"), home)).hasToString("/my/cache/hast4j");
  }

  @Test
  void aRelativeTemporaryFolderIsMadeAbsolute() {
    assertThat(UserCache.folder(Map.of(), "?", Path.of("scratch"), "1234"))
        .isAbsolute()
        .endsWithRaw(Path.of("scratch/hast4j-1234"));
  }
}

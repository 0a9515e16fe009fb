package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class UserCacheTest {
  private static Path folder(Map<String, String> environment) {
    return UserCache.folder(environment, "/system/home");
  }

  @Test
  void theNarrowestWishWins() {
    assertThat(folder(Map.of())).hasToString("/system/home/.cache/hast4j");
    assertThat(folder(Map.of("HOME", "/my/home"))).hasToString("/my/home/.cache/hast4j");
    assertThat(folder(Map.of("HOME", "/my/home", "XDG_CACHE_HOME", "/my/cache")))
        .hasToString("/my/cache/hast4j");
  }

  @Test
  void relativeWishesAreIgnored() {
    assertThat(folder(Map.of("HOME", "", "XDG_CACHE_HOME", "cache")))
        .hasToString("/system/home/.cache/hast4j");
  }
}

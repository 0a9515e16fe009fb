package org.hast4j.failure;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.hast4j.cifar.DataUnavailableException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.kernel.KernelFailure;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The two families: what a user can mend, and our defects. */
class MendableTest {
  static Stream<Throwable> mendable() {
    Path file = Path.of("file");
    return Stream.of(
        new RefusedException("of another kind"),
        new UnavailableException("not here"),
        new CorruptFileException(file, "cut short"),
        new UnreadableFileException(file, new FileNotFoundException()),
        new DataUnavailableException("no network"),
        new UncheckedIOException(new IOException("disk full")),
        new IOException("disk full"),
        new OutOfMemoryError("Java heap space"));
  }

  @ParameterizedTest
  @MethodSource("mendable")
  void aUserCanMend(Throwable failure) {
    assertThat(Mendable.is(failure)).isTrue();
  }

  static Stream<Throwable> defects() {
    return Stream.of(
        new IllegalArgumentException("no parameter named x"),
        new IllegalStateException("the program is closed"),
        new NullPointerException(),
        new ArithmeticException("integer overflow"),
        new IndexOutOfBoundsException(3),
        new ClassCastException(),
        new AssertionError(),
        new StackOverflowError());
  }

  @ParameterizedTest
  @MethodSource("defects")
  void onlyWeCanMend(Throwable failure) {
    assertThat(Mendable.is(failure)).isFalse();
  }

  /**
   * No room, no such device, sizes beyond the kernels, no thread, too old a device; no driver, none
   * or another process's device, a lost one, an unknown error.
   */
  @ParameterizedTest
  @ValueSource(ints = {-3, -4, -5, -6, -7, 2, 35, 46, 100, 209, 214, 700, 719, 999})
  void aMachineThatFailsACallIsMendable(int status) {
    assertThat(Mendable.is(KernelFailure.of("hast_fill_fwd_f32", status))).isTrue();
    assertThat(Mendable.is(KernelFailure.of("hast_fill_fwd_f32", status).at("Add"))).isTrue();
  }

  /** Wrong arguments, configurations, handles and captures. */
  @ParameterizedTest
  @ValueSource(ints = {-1, -2, 1, 9, 98, 400, 701, 720, 900, 901, 906})
  void aCallThatShouldNotHaveBeenMadeIsADefect(int status) {
    assertThat(Mendable.is(KernelFailure.of("hast_fill_fwd_f32", status))).isFalse();
    assertThat(Mendable.is(KernelFailure.of("hast_fill_fwd_f32", status).at("Add"))).isFalse();
  }
}

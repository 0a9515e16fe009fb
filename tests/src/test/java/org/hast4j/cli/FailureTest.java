package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.failure.UnavailableException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.kernel.KernelFailure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** What is printed of a failure. */
class FailureTest {
  private static final List<String> COMMAND =
      List.of("quantize", "my net.safetensors", "--set=a.b=[1, 2]", "it's");

  private static String text(Throwable failure, boolean stacktrace, boolean resumable) {
    return Failure.text(failure, stacktrace, COMMAND, resumable);
  }

  @Test
  void whatTheUserCanMendIsOneLine() {
    assertThat(text(new CorruptFileException(Path.of("n"), "it is cut short"), false, true))
        .isEqualTo("hast: n: it is cut short\n");
    assertThat(
            text(new UncheckedIOException("disk full", new NoSuchFileException("x")), false, true))
        .isEqualTo("hast: disk full\n");
    assertThat(text(new NoSuchFileException("x"), false, true))
        .isEqualTo("hast: no such file: x\n");
    assertThat(text(new OutOfMemoryError("Java heap space"), false, true))
        .matches("hast: the Java heap of \\d+ MiB is too small \\(Java heap space\\).*-Xmx.*\n");
    assertThat(text(KernelFailure.of("hast_memory_allocate", -3), false, true))
        .isEqualTo("hast: hast_memory_allocate: a failure (status -3)\n");
  }

  @Test
  void aRemedyIsSaidInOptions() {
    assertThat(text(new RefusedException("taken", Remedy.RESUME_OR_OTHER_FOLDER), false, true))
        .isEqualTo("hast: taken (--resume, --out)\n");
    assertThat(text(KernelFailure.of("hast_stream_create", 35), false, true))
        .endsWith("or use the CPU (--device cpu)\n");
    assertThat(text(KernelFailure.of("hast_stream_create", 719), false, true))
        .endsWith("names the operation that failed (--check-launches)\n");
    Exception wrapped =
        new UnavailableException("no GPU", new UnavailableException("no driver", Remedy.USE_CPU));
    assertThat(text(wrapped, false, true)).isEqualTo("hast: no GPU (--device cpu)\n");
    RefusedException gathered = new RefusedException("nothing computes it");
    gathered.addSuppressed(new UnavailableException("no cuDNN", Remedy.USE_OWN_KERNELS));
    assertThat(text(gathered, false, true)).isEqualTo("hast: nothing computes it (--conv own)\n");
  }

  /** An option that a remedy names and no command has would send the user astray. */
  @ParameterizedTest
  @EnumSource
  void everyRemedyNamesOptionsThatThereAre(Remedy remedy) {
    String text = text(new RefusedException("x", remedy), false, true);
    CommandSpec spec = new CommandLine(new QuantizeCommand()).getCommandSpec();
    List<String> options =
        Pattern.compile("--[a-z-]+").matcher(text).results().map(MatchResult::group).toList();
    assertThat(options).isNotEmpty().allMatch(option -> spec.findOption(option) != null);
  }

  @Test
  void whoAsksSeesWhereItHappened() {
    assertThat(text(new CorruptFileException(Path.of("n"), "it is cut short"), true, true))
        .startsWith("hast: n: it is cut short\n")
        .contains("CorruptFileException", "\tat " + FailureTest.class.getName())
        .doesNotContain("defect");
  }

  @Test
  void aDefectIsShownWholeWithWhatToDo() {
    Exception defect =
        new IllegalArgumentException("-3", new ArithmeticException("integer overflow"));
    assertThat(text(defect, false, false))
        .startsWith("hast: a defect of hast4j, not of your command, files or machine: ")
        .contains("java.lang.IllegalArgumentException: -3\n\tat " + FailureTest.class.getName())
        .contains("Caused by: java.lang.ArithmeticException: integer overflow")
        .contains("please report it")
        .endsWith("\n  hast quantize 'my net.safetensors' '--set=a.b=[1, 2]' 'it'\\''s'\n")
        .doesNotContain("--resume");
    assertThat(text(defect, true, false)).isEqualTo(text(defect, false, false));
    assertThat(text(defect, false, true)).endsWith("--resume goes on from it\n");
    assertThat(text(new StackOverflowError(), false, true)).contains("a defect of hast4j");
    assertThat(text(KernelFailure.of("hast_add_fwd_f32", -1), false, true))
        .contains("a defect of hast4j", "hast_add_fwd_f32");
  }
}

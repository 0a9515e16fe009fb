package org.hast4j.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;

/**
 * What the command line says about a failure: of one that the user can mend, a message that names
 * the thing; of any other, that it is a defect, and what to do with it.
 */
final class Failure {
  private static final Pattern PLAIN = Pattern.compile("[\\w./=:,@%+-]+");

  private Failure() {}

  /**
   * All that is said.
   *
   * @param stacktrace whether the user wants to see where it happened, which of a defect everybody
   *     sees
   * @param command as the user gave it, without the program's name
   * @param resumable whether the command goes on from what it has written
   */
  static String text(
      Throwable failure, boolean stacktrace, List<String> command, boolean resumable) {
    if (Mendable.is(failure)) {
      String remedy =
          Mendable.remedyOf(failure).map(known -> " (" + options(known) + ")").orElse("");
      return "hast: "
          + Reporter.printable(message(failure))
          + remedy
          + "\n"
          + (stacktrace ? trace(failure) : "");
    }
    return "hast: a defect of hast4j, not of your command, files or machine: "
        + trace(failure)
        + "hast: please report it, with all of the above and the command:\n  hast "
        + command.stream().map(Failure::quoted).collect(Collectors.joining(" "))
        + "\n"
        + (resumable
            ? "hast: what was written is not lost: the same command with --resume goes on from it\n"
            : "");
  }

  private static String message(Throwable failure) {
    return switch (failure) {
      case OutOfMemoryError e ->
          "the Java heap of %d MiB is too small (%s): set JDK_JAVA_OPTIONS=-Xmx<size> to enlarge it"
              .formatted(Runtime.getRuntime().maxMemory() >> 20, e.getMessage());
      case NoSuchFileException e -> "no such file: " + e.getFile();
      case AccessDeniedException e -> "no permission: " + e.getFile();
      case IOException e -> e.toString();
      case Throwable e -> e.getMessage();
    };
  }

  /** What takes a remedy on the command line. */
  private static String options(Remedy remedy) {
    return switch (remedy) {
      case GIVE_NORMALIZATION -> "--mean, --std";
      case DROP_EXTRA -> "--drop-extra";
      case NAME_CLASSES -> "--classes";
      case USE_CPU -> "--device cpu";
      case USE_GPU -> "--device cuda";
      case USE_FASTEST_KERNELS -> "--conv auto";
      case USE_OWN_KERNELS -> "--conv own";
      case AWAIT_LAUNCHES -> "--check-launches";
      case RESUME_OR_OTHER_FOLDER -> "--resume, --out";
    };
  }

  /** As a shell takes it. */
  private static String quoted(String argument) {
    return PLAIN.matcher(argument).matches()
        ? argument
        : "'" + argument.replace("'", "'\\''") + "'";
  }

  private static String trace(Throwable failure) {
    StringWriter trace = new StringWriter();
    failure.printStackTrace(new PrintWriter(trace));
    return trace.toString();
  }
}

package org.hast4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import org.hast4j.data.DataUnavailableException;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.kernel.KernelException;

/** What the command line says about a failure: one message that names the thing. */
final class Failure {
  private Failure() {}

  static String message(Throwable failure) {
    String text =
        switch (failure) {
          case OutOfMemoryError e ->
              "the Java heap of %d MiB is too small (%s): set JDK_JAVA_OPTIONS=-Xmx<size> to enlarge it"
                  .formatted(Runtime.getRuntime().maxMemory() >> 20, e.getMessage());
          case UncheckedIOException e -> e.getMessage();
          case NoSuchFileException e -> "no such file: " + e.getFile();
          case AccessDeniedException e -> "no permission: " + e.getFile();
          case IOException e -> e.toString();
          case CorruptFileException e -> e.getMessage();
          case DataUnavailableException e -> e.getMessage();
          case DeviceMemoryException e -> e.getMessage();
          case KernelException e -> e.getMessage();
          case IllegalArgumentException e -> e.getMessage();
          case IllegalStateException e -> e.getMessage();
          default -> null;
        };
    return text != null
        ? text
        : failure + " (a defect of hast4j: please report what --stacktrace adds)";
  }
}

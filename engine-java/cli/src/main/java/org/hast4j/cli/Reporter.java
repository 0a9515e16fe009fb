package org.hast4j.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.Console;
import picocli.CommandLine.Option;

/**
 * Everything a command says. Results go to standard output, as text or with {@code --json} as one
 * JSON value and nothing else; progress and notes go to standard error.
 */
final class Reporter {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /** Returns to the start of the line and clears it: where a progress bar may stand. */
  private static final String CLEAR_LINE = "\r\033[K";

  @Option(names = "--json", description = "Prints the result as JSON.")
  private boolean json;

  private final boolean terminal;

  Reporter() {
    Console console = System.console();
    terminal = console != null && console.isTerminal();
  }

  /** A line of the result, for people. */
  void line(String text) {
    if (!json) {
      System.out.println(printable(text));
    }
  }

  /** The whole result, for programs. */
  void result(Object value) {
    if (!json) {
      return;
    }
    try {
      System.out.println(JSON.writeValueAsString(value));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A line about the work. */
  void note(String text) {
    System.err.println((terminal ? CLEAR_LINE : "") + printable(text));
  }

  /** A text, names from files in it, without what would steer a terminal. */
  static String printable(String text) {
    return text.replaceAll("[\\p{Cntrl}&&[^\n\t]]", "?");
  }

  /** Starts to show how far a piece of work has come. */
  Meter meter(String task, Meter.Unit unit, long start, long total) {
    return terminal
        ? new BarMeter(task, unit, start, total)
        : new LineMeter(this, task, unit, start, total);
  }
}

package org.hast4j.cli;

import picocli.CommandLine.Command;

/** {@code hast train}. */
@Command(name = "train")
final class TrainCommand implements Runnable {
  @Override
  public void run() {}
}

package org.hast4j.cli;

import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line {@code hast}. */
public final class Main {
  private static final int FAILED = 1;
  private static final int MISUSED = 2;

  private Main() {}

  /** Runs one command and exits: 0 done, 1 failed, 2 misused. */
  public static void main(String[] arguments) {
    // Numbers look the same everywhere, also to the programs that read them.
    Locale.setDefault(Locale.ROOT);
    System.exit(run(arguments));
  }

  private static int run(String[] arguments) {
    HastCommand root = new HastCommand();
    CommandLine commands =
        new CommandLine(root)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setUsageHelpWidth(100)
            .setParameterExceptionHandler(Main::misused)
            .setExecutionExceptionHandler((failure, _, _) -> failed(failure, root.stacktrace()));
    try {
      return commands.execute(arguments);
    } catch (VirtualMachineError | LinkageError e) {
      return failed(e, root.stacktrace());
    }
  }

  private static int misused(ParameterException misuse, String[] arguments) {
    CommandLine command = misuse.getCommandLine();
    System.err.println("hast: " + misuse.getMessage());
    if (!UnmatchedArgumentException.printSuggestions(misuse, command.getErr())) {
      System.err.println("Try: " + command.getCommandSpec().qualifiedName() + " --help");
    }
    return MISUSED;
  }

  private static int failed(Throwable failure, boolean stacktrace) {
    System.err.println("hast: " + Failure.message(failure));
    if (stacktrace) {
      failure.printStackTrace();
    }
    return FAILED;
  }
}

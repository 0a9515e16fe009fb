package org.hast4j.cli;

import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The top of the command line: what the program is, and where to start. */
@Command(
    name = "hast",
    synopsisSubcommandLabel = "COMMAND",
    description = {
      "",
      "Takes a trained image classifier, and none of the data it was trained on, and gives back a"
          + " low-bit network that still works. It synthesises images that the network finds hard,"
          + " calibrates a quantised copy on them and fine-tunes it until it agrees with the"
          + " original (HAST, CVPR 2023).",
      "",
      "Start with",
      "  hast demo                                      quantises a network that comes along",
      "  hast inspect NETWORK                           shows what a file holds and what is"
          + " assumed",
      "  hast quantize NETWORK --bits W4A4              quantises yours; its result goes below"
          + " runs/",
      "  hast evaluate FILE --data TESTSET              tests either kind of file",
      "",
      "Options:"
    },
    commandListHeading = "%nCommands:%n",
    footer = {
      "",
      "hast COMMAND --help tells more.",
      "",
      "Exit codes: 0 done; 1 the work failed (a bad file, a number that is none, no memory, ..);",
      "            2 the command line makes no sense; 130 interrupted.",
      "Results go to standard output, progress and messages to standard error."
    },
    versionProvider = HastCommand.Version.class,
    subcommands = {
      QuantizeCommand.class,
      RunCommand.class,
      SynthesizeCommand.class,
      EvaluateCommand.class,
      InspectCommand.class,
      TrainCommand.class,
      DataCommand.class,
      DevicesCommand.class,
      DemoCommand.class
    })
final class HastCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Shows this help.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Shows the version.")
  private boolean version;

  @Option(
      names = "--stacktrace",
      scope = ScopeType.INHERIT,
      description = "After a failure, also shows where in the program it happened.")
  private boolean stacktrace;

  @Override
  public Integer call() {
    spec.commandLine().usage(System.err);
    return CommandLine.ExitCode.USAGE;
  }

  boolean stacktrace() {
    return stacktrace;
  }

  /** The version in the jar's manifest, which class folders lack. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version =
          Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
              .orElse("(unpacked)");
      return new String[] {"hast4j " + version + " on Java " + Runtime.version()};
    }
  }
}

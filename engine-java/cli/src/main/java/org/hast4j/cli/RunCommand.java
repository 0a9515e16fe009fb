package org.hast4j.cli;

import java.nio.file.Path;
import org.hast4j.hast.RunSpec;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code hast run}. */
@Command(
    name = "run",
    customSynopsis = "hast run SPEC [OPTION]..",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = "Repeats a run from the spec.json in its folder, on this or another machine.")
final class RunCommand implements Runnable {
  @Parameters(paramLabel = "SPEC", description = "What to run: spec.json of a run's folder.")
  private Path file;

  @Option(
      names = "--network",
      paramLabel = "FILE",
      description = "Where the network is, if not where the spec says; it must be the same file.")
  private Path network;

  @Option(
      names = "--out",
      paramLabel = "RUN_DIR",
      description = "Folder of the run; runs/<network>-<bits> by default.")
  private Path out;

  @Mixin private ResumeOptions run;
  @Mixin private TestOptions test;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    RunSpec read = RunSpec.read(file);
    RunSpec spec = network == null ? read : read.withNetwork(network);
    NetworkFile source = NetworkFile.readFloat(spec.network(), spec.given());
    spec.check(source.sha256());
    Path folder = out != null ? out : QuantizationRun.defaultFolder(source, spec.scheme());
    new QuantizationRun(
            source,
            source.job(spec.scheme(), spec.recipe(), spec.source(), spec.seed()),
            folder,
            run.resume(),
            run.checkpointEvery(),
            run.diagnose(),
            test.of(source.network(), spec.recipe().fineTuning().steps(), reporter),
            QuantizationRun.resumable(folder))
        .run(device, reporter);
  }
}

package org.hast4j.cli;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.hast4j.cifar.Cifar10;
import org.hast4j.hast.Hast;
import org.hast4j.model.Model;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which real images a run is followed with. They decide nothing. */
final class TestOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  /** Test sets. */
  enum TestSet {
    NONE,
    CIFAR10
  }

  @Option(
      names = "--test",
      paramLabel = "SET",
      description =
          "Follows the run with a real test set, which decides nothing: cifar10 (fetched if need"
              + " be) or none. By default cifar10 if it is in the cache and the network takes"
              + " its images.")
  private TestSet set;

  @Option(
      names = "--evaluate-at",
      split = ",",
      paramLabel = "STEPS",
      hideParamSyntax = true,
      description = "Also evaluates after these fine-tuning steps, such as 200,600.")
  private List<Long> steps = List.of();

  /**
   * The test of a network; a note says it if there is none.
   *
   * @param last the last step of fine-tuning
   */
  Optional<Hast.Test> of(Model model, int last, Reporter reporter) {
    for (long step : steps) {
      if (step < 1 || step > last) {
        throw new ParameterException(
            spec.commandLine(),
            "--evaluate-at: there is no step %d, fine-tuning has steps 1 to %d"
                .formatted(step, last));
      }
    }
    if (set == TestSet.NONE && !steps.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(), "--evaluate-at needs a test set, --test none forbids it");
    }
    CifarImages images = new CifarImages(reporter);
    Optional<Hast.Test> test =
        switch (set) {
          case NONE -> Optional.empty();
          case CIFAR10 -> {
            CifarImages.check(model);
            yield Optional.of(
                new Hast.Test(images.obtained(Cifar10.Split.TEST), Set.copyOf(steps)));
          }
          case null ->
              CifarImages.suits(model)
                  ? images
                      .cached(Cifar10.Split.TEST)
                      .map(set -> new Hast.Test(set, Set.copyOf(steps)))
                  : Optional.empty();
        };
    if (test.isEmpty() && set == null) {
      reporter.note(
          CifarImages.suits(model)
              ? "no accuracy will be measured: CIFAR-10 is not in %s; `hast data` obtains it"
                  .formatted(images.data().cache())
              : "no accuracy will be measured: there is no test set for %s"
                  .formatted(model.name()));
    }
    return test;
  }
}

package org.hast4j.cli;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.hast4j.cifar.Cifar10;
import org.hast4j.data.LabeledImages;
import org.hast4j.hast.Hast;
import org.hast4j.model.Model;
import org.hast4j.nn.Network;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which real images a run is followed with. They decide nothing. */
final class TestOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  private static final String NONE = "none";

  @Option(
      names = "--test",
      paramLabel = "SET",
      description =
          "Follows the run with real test images, which decide nothing: "
              + TestSet.WHAT
              + "; or none. By default cifar10 if it is in the cache and the network takes its"
              + " images.")
  private String set;

  @Mixin private ClassOptions classes;

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
  Optional<Hast.Test> of(Network network, int last, Reporter reporter) {
    for (long step : steps) {
      if (step < 1 || step > last) {
        throw new ParameterException(
            spec.commandLine(),
            "--evaluate-at: there is no step %d, fine-tuning has steps 1 to %d"
                .formatted(step, last));
      }
    }
    boolean none = NONE.equalsIgnoreCase(set);
    if (none && !steps.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(), "--evaluate-at needs a test set, --test none forbids it");
    }
    if (none) {
      return Optional.empty();
    }
    Optional<LabeledImages> images =
        set == null
            ? cached(network.model(), reporter)
            : Optional.of(TestSet.open(set, network, classes, reporter).kept(reporter).images());
    return images.map(found -> new Hast.Test(found, Set.copyOf(steps)));
  }

  private static Optional<LabeledImages> cached(Model model, Reporter reporter) {
    CifarImages images = new CifarImages(reporter);
    Optional<LabeledImages> cached =
        CifarImages.suits(model)
            ? images.cached(Cifar10.Split.TEST).map(found -> found)
            : Optional.empty();
    if (cached.isEmpty()) {
      reporter.note(
          CifarImages.suits(model)
              ? "no accuracy will be measured: CIFAR-10 is not in %s; `hast data` obtains it"
                  .formatted(images.data().cache())
              : "no accuracy will be measured: --test names no images of the classes of %s"
                  .formatted(model.name()));
    }
    return cached;
  }
}

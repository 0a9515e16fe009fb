package org.hast4j.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noFields;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hast4j.cifar.Cifar10;
import org.hast4j.exec.Program;
import org.hast4j.hast.Hast;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Lower packages never know upper ones, and other rules of the house that a compiler does not
 * check.
 */
class LayersTest {
  private static final String ROOT = "org.hast4j.";
  private static final String EVERY = "org.hast4j..";

  /** Each module's packages, and what each of them may use besides itself. */
  private static final Map<String, List<String>> MAY_USE =
      Map.ofEntries(
          // org.hast4j.runtime
          Map.entry("failure", List.of()),
          Map.entry("tensor", List.of()),
          Map.entry("natives", List.of()),
          Map.entry("io", List.of("failure", "tensor")),
          Map.entry("kernel", List.of("failure", "tensor", "io", "natives")),
          Map.entry("device", List.of("failure", "tensor", "kernel")),
          Map.entry("graph", List.of("tensor")),
          Map.entry("plan", List.of("tensor", "graph")),
          Map.entry("vendor", List.of("failure", "tensor", "kernel", "device")),
          Map.entry(
              "exec",
              List.of("failure", "tensor", "kernel", "device", "vendor", "graph", "plan", "io")),
          Map.entry("model", List.of("failure", "tensor", "io")),
          Map.entry("nn", List.of("failure", "tensor", "graph", "model", "io")),
          Map.entry("quant", List.of("failure", "tensor", "model", "io", "nn")),
          Map.entry(
              "forward",
              List.of("failure", "tensor", "device", "graph", "exec", "model", "nn", "quant")),
          Map.entry(
              "session",
              List.of(
                  "kernel", "device", "graph", "exec", "model", "io", "nn", "quant", "forward")),
          // org.hast4j.quantize
          Map.entry("data", List.of("failure", "io", "model")),
          Map.entry("source", List.of("failure", "tensor", "model", "io")),
          Map.entry("zoo", List.of("failure", "tensor", "model", "io", "nn", "quant", "source")),
          Map.entry(
              "hast",
              List.of(
                  "failure", "tensor", "device", "graph", "exec", "model", "io", "data", "nn",
                  "quant", "forward", "source", "zoo")),
          // org.hast4j.cli
          Map.entry("cifar", List.of("failure", "io", "data", "model")),
          Map.entry("picture", List.of("failure", "io", "data", "model")),
          Map.entry(
              "cli",
              List.of(
                  "failure", "tensor", "kernel", "device", "vendor", "exec", "model", "io", "data",
                  "cifar", "picture", "nn", "quant", "source", "zoo", "hast")));

  private static JavaClasses engine;

  @BeforeAll
  static void read() {
    // Where each module's own classes lie, a folder or a jar: the tests share its package names.
    engine =
        new ClassFileImporter()
            .importUrls(
                Stream.of(Program.class, Hast.class, Cifar10.class)
                    .map(c -> c.getProtectionDomain().getCodeSource().getLocation())
                    .distinct()
                    .toList());
  }

  static Stream<String> packages() {
    return MAY_USE.keySet().stream().sorted();
  }

  @ParameterizedTest
  @MethodSource("packages")
  void knowsOnlyWhatLiesBelow(String name) {
    String[] allowed =
        Stream.concat(Stream.of(name), MAY_USE.get(name).stream())
            .map(p -> ROOT + p + "..")
            .toArray(String[]::new);
    noClasses()
        .that()
        .resideInAPackage(ROOT + name + "..")
        .should()
        .dependOnClassesThat(resideInAPackage(EVERY).and(not(resideInAnyPackage(allowed))))
        .allowEmptyShould(true)
        .check(engine);
  }

  @Test
  void everyPackageHasItsPlace() {
    String[] known = MAY_USE.keySet().stream().map(p -> ROOT + p + "..").toArray(String[]::new);
    classes().that().resideInAPackage(EVERY).should().resideInAnyPackage(known).check(engine);
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching("org.hast4j.(*)..").should().beFreeOfCycles().check(engine);
  }

  /** NVIDIA's libraries are optional, and so are their bindings. */
  @Test
  void onlyOnePackageKnowsTheBindings() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + "vendor..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.bytedeco..")
        .check(engine);
  }

  @Test
  void onlyTheCommandLinePrintsAndExits() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + "cli..")
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .orShould()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(Throwable.class, "printStackTrace")
        .check(engine);
  }

  @Test
  void namesSayWhatAClassIs() {
    noClasses().should().haveNameMatching(".*(Impl|Util|Utils|Helper|Manager)").check(engine);
  }

  @Test
  void nothingStaticChanges() {
    noFields().that().areStatic().should().notBeFinal().check(engine);
  }

  /**
   * A Java read through a segment on GPU memory would fault: device memory is an address outside
   * the binding.
   */
  @Test
  void deviceMemoryIsNoSegment() {
    noFields()
        .that()
        .areDeclaredInClassesThat()
        .resideOutsideOfPackages(ROOT + "kernel..", ROOT + "io..", ROOT + "source..")
        .should()
        .haveRawType(MemorySegment.class)
        .check(engine);
  }

  @Test
  void graphsKnowNeitherMemoryNorDevices() {
    noClasses()
        .that()
        .resideInAnyPackage(ROOT + "graph..", ROOT + "plan..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.lang.foreign..", "java.nio..", "java.io..")
        .check(engine);
  }
}

package org.hast4j.architecture;

import static com.tngtech.archunit.core.domain.JavaModifier.PROTECTED;
import static com.tngtech.archunit.core.domain.JavaModifier.PUBLIC;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.members;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hast4j.exec.Program;
import org.hast4j.hast.Hast;
import org.hast4j.session.Session;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What everybody can see of the modules stands on its own: nobody is handed what only another
 * module of hast4j can use, and least of all an address.
 */
class ExportsTest {
  // Those to everybody.
  private static final Pattern EXPORTS = Pattern.compile("exports ([\\w.]+);");

  private static Set<String> exported;
  private static JavaClasses engine;

  @BeforeAll
  static void read() {
    exported =
        Stream.of("runtime", "quantize")
            .map(name -> Path.of("../engine-java", name, "src/main/java/module-info.java"))
            .flatMap(module -> EXPORTS.matcher(text(module)).results())
            .map(match -> match.group(1))
            .collect(Collectors.toSet());
    assertThat(exported).contains("org.hast4j.session", "org.hast4j.hast");
    engine =
        new ClassFileImporter()
            .importUrls(
                Stream.of(Program.class, Hast.class)
                    .map(c -> c.getProtectionDomain().getCodeSource().getLocation())
                    .distinct()
                    .toList());
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void whatEverybodySeesIsForEverybody() {
    members()
        .that(visible())
        .should(
            notMention(
                type ->
                    type.getPackageName().startsWith("org.hast4j.")
                        && !exported.contains(type.getPackageName()),
                "types that are not for everybody"))
        .check(engine);
  }

  /** A session takes pixels from its caller's memory. */
  @Test
  void noMemoryIsHandedOut() {
    members()
        .that(visible())
        .and()
        .areNotDeclaredIn(Session.class)
        .should(
            notMention(
                type -> type.getPackageName().startsWith("java.lang.foreign"), "foreign memory"))
        .check(engine);
  }

  @Test
  void noAddressIsHandedOut() {
    members()
        .that(visible())
        .and()
        .haveNameMatching("(?i).*(address|pointer|handle|stream)")
        .should(notMention(type -> type.isEquivalentTo(long.class), "addresses"))
        .allowEmptyShould(true)
        .check(engine);
  }

  private static DescribedPredicate<JavaMember> visible() {
    return DescribedPredicate.describe(
        "everybody sees",
        member ->
            open(member.getModifiers())
                && open(member.getOwner())
                && exported.contains(member.getOwner().getPackageName()));
  }

  private static boolean open(JavaClass owner) {
    Optional<JavaClass> outer = owner.getEnclosingClass();
    return open(owner.getModifiers()) && outer.map(ExportsTest::open).orElse(true);
  }

  private static boolean open(Set<JavaModifier> modifiers) {
    return modifiers.contains(PUBLIC) || modifiers.contains(PROTECTED);
  }

  private static ArchCondition<JavaMember> notMention(Predicate<JavaClass> forbidden, String what) {
    return new ArchCondition<>("not mention " + what) {
      @Override
      public void check(JavaMember member, ConditionEvents events) {
        types(member)
            .filter(forbidden)
            .distinct()
            .forEach(
                type ->
                    events.add(
                        SimpleConditionEvent.violated(
                            member, member.getFullName() + " mentions " + type.getName())));
      }
    };
  }

  private static Stream<JavaClass> types(JavaMember member) {
    Stream<JavaType> types =
        switch (member) {
          case JavaField field -> Stream.of(field.getType());
          case JavaMethod method ->
              Stream.concat(method.getParameterTypes().stream(), Stream.of(method.getReturnType()));
          case JavaCodeUnit constructor -> constructor.getParameterTypes().stream();
          default -> throw new IllegalStateException(member.toString());
        };
    return types
        .flatMap(type -> type.getAllInvolvedRawTypes().stream())
        .map(JavaClass::getBaseComponentType);
  }
}

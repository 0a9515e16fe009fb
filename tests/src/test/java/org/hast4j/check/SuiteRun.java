package org.hast4j.check;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.EngineFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs one suite and prints a {@link SuiteEvent} whenever something happens.
 *
 * <p>usage: SuiteRun CLASS
 */
final class SuiteRun implements TestExecutionListener {
  static final String ENGINE = "junit-jupiter";

  private final ObjectMapper json = new ObjectMapper();
  private final PrintStream out;
  private TestPlan plan;

  private SuiteRun(PrintStream out) {
    this.out = out;
  }

  public static void main(String[] arguments) {
    SuiteRun run = new SuiteRun(new PrintStream(System.out, true, StandardCharsets.UTF_8));
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectClass(arguments[0]))
                .filters(EngineFilter.includeEngines(ENGINE))
                .build(),
            run);
    System.exit(0);
  }

  @Override
  public void testPlanExecutionStarted(TestPlan started) {
    plan = started;
  }

  @Override
  public void executionStarted(TestIdentifier test) {
    if (test.isTest()) {
      print(SuiteEvent.Kind.STARTED, test, "");
    }
  }

  @Override
  public void executionSkipped(TestIdentifier test, String reason) {
    print(SuiteEvent.Kind.SKIPPED, test, reason);
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    String detail = result.getThrowable().map(SuiteRun::trace).orElse("");
    switch (result.getStatus()) {
      case SUCCESSFUL -> {
        if (test.isTest()) {
          print(SuiteEvent.Kind.PASSED, test, detail);
        }
      }
      // Containers too: what is set up before the cases, and what the devices say when they close.
      case ABORTED -> print(SuiteEvent.Kind.SKIPPED, test, detail);
      case FAILED -> print(SuiteEvent.Kind.FAILED, test, detail);
    }
  }

  private void print(SuiteEvent.Kind kind, TestIdentifier test, String detail) {
    try {
      out.println(
          SuiteEvent.MARK + json.writeValueAsString(new SuiteEvent(kind, name(test), detail)));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The names of a case and of what holds it within the suite. */
  private String name(TestIdentifier test) {
    return plan.getParent(test)
        .filter(this::isWithinSuite)
        .map(parent -> name(parent) + " " + test.getDisplayName())
        .orElse(test.getDisplayName());
  }

  /** Below the engine, which has no parent, lies the suite. */
  private boolean isWithinSuite(TestIdentifier test) {
    return plan.getParent(test).flatMap(TestIdentifier::getParentIdObject).isPresent();
  }

  static String trace(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }
}

package org.hast4j.check;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.hast4j.check.SuiteResult.Remark;
import org.hast4j.device.driver.Devices;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.EngineFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Lets JUnit run suites without the bodies of their methods. What it looks up by name only when it
 * comes to a method (factories of arguments, conditions, parameters) is looked up in the class that
 * the method runs in, for suites of a platform that this machine lacks as well. JUnit finds this
 * extension in {@code META-INF/services}, and looks there in a rehearsal only.
 */
public final class Rehearsal implements InvocationInterceptor {
  private static final String DETECTION = "junit.jupiter.extensions.autodetection.enabled";

  /**
   * What came of it.
   *
   * @param cases how many there are
   * @param remarks what failed, and what was left out and so hides what it would have failed of
   */
  record Outcome(int cases, List<Remark> remarks) {}

  static Outcome of(List<Class<?>> suites) {
    Listener listener = new Listener();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(suites.stream().map(suite -> selectClass(suite)).toList())
                .filters(EngineFilter.includeEngines(SuiteRun.ENGINE))
                .configurationParameter(DETECTION, "true")
                .configurationParameter(Devices.NONE, "true")
                .build(),
            listener);
    return new Outcome(listener.cases, List.copyOf(listener.remarks));
  }

  private static final class Listener implements TestExecutionListener {
    private final List<Remark> remarks = new ArrayList<>();
    private int cases;

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      remarks.add(new Remark(test.getUniqueId(), "left out: " + reason));
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (test.isTest()) {
        cases++;
      }
      result
          .getThrowable()
          .ifPresent(
              failure -> remarks.add(new Remark(test.getUniqueId(), SuiteRun.trace(failure))));
    }
  }

  @Override
  public void interceptTestMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }

  @Override
  public void interceptTestTemplateMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }

  @Override
  public void interceptBeforeAllMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }

  @Override
  public void interceptBeforeEachMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }

  @Override
  public void interceptAfterEachMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }

  @Override
  public void interceptAfterAllMethod(
      Invocation<Void> invocation,
      ReflectiveInvocationContext<Method> method,
      ExtensionContext context) {
    invocation.skip();
  }
}

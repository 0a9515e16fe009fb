package org.hast4j.bench.gpu;

import java.util.List;
import org.hast4j.bench.ActivationKernels;
import org.hast4j.bench.ConvolutionKernel;
import org.hast4j.bench.DepthwiseKernels;
import org.hast4j.bench.DepthwiseLayer;
import org.hast4j.bench.DeviceOperands;
import org.hast4j.bench.MemoryKernel;
import org.hast4j.bench.ResNet20Convolution;
import org.hast4j.bench.StepKernels;
import org.hast4j.bench.gpu.DeviceTimer.Timing;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.Mendable;
import org.hast4j.hast.HastLoops;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.abi.MemoryCopy;

/** What is timed on the device: iterations of the loops, and kernels by themselves. */
final class Measurements {
  static final String SYNTHESIS = "synthesis";
  static final String FINE_TUNING = "fine-tuning";

  private final Target target;
  private final Sizes sizes;
  private final Budget budget;
  private final Report report;

  Measurements(Target target, Sizes sizes, Budget budget, Report report) {
    this.target = target;
    this.sizes = sizes;
    this.budget = budget;
    this.report = report;
  }

  void iterations() {
    for (Sizes.Subject subject : sizes.networks()) {
      for (int batch : subject.batches()) {
        for (Target.Mode mode : target.modes()) {
          for (String stage : List.of(SYNTHESIS, FINE_TUNING)) {
            if (budget.isSpent()) {
              report.leftOut("iterations of %s at batch %d".formatted(subject.name(), batch));
              return;
            }
            report.add(iteration(stage, subject, batch, mode));
          }
        }
      }
    }
  }

  private Results.Iteration iteration(
      String stage, Sizes.Subject subject, int batch, Target.Mode mode) {
    try (OpenDevice device = target.open(mode)) {
      Timing timing;
      long launches;
      float loss;
      try (HastLoops loops = new HastLoops(device, subject.model().get());
          DeviceTimer timer = new DeviceTimer(device);
          HastLoops.Loop loop =
              stage.equals(SYNTHESIS) ? loops.synthesis(batch) : loops.fineTuning(batch)) {
        timing = timer.time(loop::iterate, sizes.seconds());
        launches = loop.launches();
        loss = loop.loss();
      }
      return new Results.Iteration(
          stage,
          subject.name(),
          batch,
          mode,
          launches,
          device.ledger().peakBytes() / 1048576.0,
          Float.isFinite(loss) ? timing : null,
          Float.isFinite(loss) ? "" : "the loss became " + loss);
    } catch (RuntimeException e) {
      return new Results.Iteration(
          stage, subject.name(), batch, mode, null, null, null, message(e));
    }
  }

  void kernels() {
    for (ActivationKernels.Kind kind : ActivationKernels.Kind.values()) {
      if (!kernel(
          kind.name(),
          operands -> new ActivationKernels(operands, sizes.activations()).kernel(kind))) {
        return;
      }
    }
    for (StepKernels.Kind kind : StepKernels.Kind.values()) {
      if (!kernel(
          kind.name(),
          operands ->
              new StepKernels(operands, sizes.images() * StepKernels.IMAGE, sizes.images())
                  .kernel(kind))) {
        return;
      }
    }
  }

  void depthwise() {
    for (ConvolutionDirection direction : ConvolutionDirection.values()) {
      for (DepthwiseLayer layer : DepthwiseLayer.values()) {
        if (!kernel(
            "DEPTHWISE_%s_%s".formatted(direction, layer),
            operands ->
                new DepthwiseKernels(operands, layer, sizes.convolutionBatch())
                    .kernel(direction))) {
          return;
        }
      }
    }
  }

  /** Puts a kernel's operands in place. */
  @FunctionalInterface
  private interface Preparation {
    MemoryKernel prepare(DeviceOperands operands);
  }

  /** Times a kernel unless there is no time left. */
  private boolean kernel(String name, Preparation preparation) {
    if (budget.isSpent()) {
      report.leftOut("kernels from " + name + " on");
      return false;
    }
    try (OpenDevice device = target.openEager(Precision.FP32);
        DeviceTimer timer = new DeviceTimer(device);
        DeviceOperands operands = new DeviceOperands(device)) {
      MemoryKernel kernel = preparation.prepare(operands);
      Timing copy = copy(device, timer, kernel.bytes());
      Timing timing = timer.time(kernel.launch(), sizes.seconds());
      report.add(new Results.Kernel(name, kernel.bytes(), timing, copy, ""));
    } catch (RuntimeException e) {
      report.add(new Results.Kernel(name, null, null, null, message(e)));
    }
    return true;
  }

  /** Times a copy that reads and writes this many bytes together. */
  private Timing copy(OpenDevice device, DeviceTimer timer, long bytes) {
    try (Buffer source = device.allocate("copy source", bytes / 2);
        Buffer copy = device.allocate("copy target", bytes / 2)) {
      source.clear();
      long from = source.address(0, source.bytes());
      long to = copy.address(0, copy.bytes());
      return timer.time(
          () ->
              new MemoryCopy(device.library())
                  .destination(to)
                  .source(from)
                  .bytes(source.bytes())
                  .launch(device.stream()),
          sizes.seconds());
    }
  }

  void convolutions() {
    for (Precision precision : target.precisions()) {
      for (ConvolutionDirection direction : ConvolutionDirection.values()) {
        for (ResNet20Convolution shape : ResNet20Convolution.values()) {
          if (budget.isSpent()) {
            report.leftOut("convolutions from %s %s %s on".formatted(precision, direction, shape));
            return;
          }
          report.add(convolution(precision, direction, shape));
        }
      }
    }
  }

  private Results.Convolution convolution(
      Precision precision, ConvolutionDirection direction, ResNet20Convolution shape) {
    int batch = sizes.convolutionBatch();
    Timing timing = null;
    String failure = "";
    try (OpenDevice device = target.openEager(precision);
        DeviceTimer timer = new DeviceTimer(device);
        DeviceOperands operands = new DeviceOperands(device)) {
      ConvolutionKernel kernel = ConvolutionKernel.random(operands, shape, batch, direction);
      timing = timer.time(kernel::run, sizes.seconds());
    } catch (RuntimeException e) {
      failure = message(e);
    }
    return new Results.Convolution(
        direction.name(),
        shape.name(),
        batch,
        precision,
        shape.flops(batch),
        shape.uses,
        timing,
        failure);
  }

  /** What a report says of a failure; of a defect also its kind. */
  static String message(RuntimeException failure) {
    return Mendable.is(failure) ? failure.getMessage() : failure.toString();
  }
}

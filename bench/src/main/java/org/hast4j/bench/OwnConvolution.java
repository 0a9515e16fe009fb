package org.hast4j.bench;

import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Precision;

/** This project's kernels on the CPU. */
final class OwnConvolution implements Convolution {
  private final ResNet20Convolution shape;
  private final ConvolutionDirection direction;
  private final OpenDevice device;
  private final Buffer x;
  private final Buffer weight;
  private final Buffer y;
  private final DeviceOperands workspace;
  private final ConvolutionKernel kernel;

  OwnConvolution(
      ResNet20Convolution shape,
      ConvolutionDirection direction,
      int threads,
      boolean pinned,
      Operands operands) {
    this.shape = shape;
    this.direction = direction;
    device =
        OpenDevice.open(
            Backend.CPU,
            new OpenDevice.Options(
                threads, pinned, Precision.FP32, Launching.SINGLE, ConvolutionChoice.OWN));
    x = filled("x", operands.x());
    weight = filled("weight", operands.weight());
    y = filled("y", operands.dy());
    workspace = new DeviceOperands(device);
    kernel =
        new ConvolutionKernel(
            workspace,
            shape,
            ResNet20Convolution.BATCH,
            direction,
            x.address(0, x.bytes()),
            weight.address(0, weight.bytes()),
            y.address(0, y.bytes()));
  }

  private Buffer filled(String purpose, float[] values) {
    Buffer buffer = device.allocate(purpose, (long) values.length * Float.BYTES);
    buffer.upload(0, values);
    return buffer;
  }

  @Override
  public void run() {
    kernel.run();
  }

  @Override
  public float[] result() {
    float[] values = new float[shape.resultElements(direction, ResNet20Convolution.BATCH)];
    direction.result(x, weight, y).download(0, values);
    return values;
  }

  @Override
  public String implementation() {
    return "own kernels, " + device.description();
  }

  @Override
  public void close() {
    workspace.close();
    y.close();
    weight.close();
    x.close();
    device.close();
  }
}

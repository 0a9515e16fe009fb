package org.hast4j.bench;

import org.hast4j.device.Buffer;
import org.hast4j.device.ConvolutionChoice;
import org.hast4j.device.Device;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Kernels;
import org.hast4j.kernel.Precision;

/**
 * This project's kernels. Weights stay as they are trained: transforming them is part of every run.
 */
final class OwnConvolution implements Convolution {
  private final ConvolutionShape shape;
  private final ConvolutionDirection direction;
  private final Device device;
  private final Buffer x;
  private final Buffer weight;
  private final Buffer y;
  private final Buffer workspace;

  OwnConvolution(
      ConvolutionShape shape,
      ConvolutionDirection direction,
      int threads,
      boolean pinned,
      Operands operands) {
    this.shape = shape;
    this.direction = direction;
    device =
        Device.open(
            Backend.CPU,
            new Device.Options(threads, pinned, Precision.FP32, false, ConvolutionChoice.OWN));
    x = filled("x", operands.x());
    weight = filled("weight", operands.weight());
    y = filled("y", operands.dy());
    workspace =
        device.allocate(
            "workspace",
            Math.max(
                1,
                device
                    .kernels()
                    .conv2dWorkspaceBytes(
                        ConvolutionShape.BATCH,
                        shape.size,
                        shape.size,
                        shape.inputs,
                        shape.outputs,
                        shape.kernel,
                        shape.kernel,
                        shape.stride,
                        shape.pad,
                        direction.ordinal())));
  }

  private Buffer filled(String purpose, float[] values) {
    Buffer buffer = device.allocate(purpose, (long) values.length * Float.BYTES);
    buffer.upload(0, values);
    return buffer;
  }

  @Override
  public void run() {
    Kernels kernels = device.kernels();
    long n = ConvolutionShape.BATCH;
    long hw = shape.size;
    long c = shape.inputs;
    long k = shape.outputs;
    long r = shape.kernel;
    int stride = shape.stride;
    int pad = shape.pad;
    long stream = device.stream();
    long bytes = workspace.bytes();
    long scratch = start(workspace);
    switch (direction) {
      case FORWARD ->
          kernels.conv2dFwd(
              start(y),
              start(x),
              start(weight),
              0,
              scratch,
              bytes,
              n,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              stream);
      case DATA ->
          kernels.conv2dBwdData(
              start(x),
              start(y),
              start(weight),
              scratch,
              bytes,
              n,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              0,
              stream);
      case WEIGHT ->
          kernels.conv2dBwdWeight(
              start(weight),
              start(y),
              start(x),
              scratch,
              bytes,
              n,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              stream);
    }
  }

  private static long start(Buffer buffer) {
    return buffer.address(0, buffer.bytes());
  }

  @Override
  public float[] result() {
    float[] values = new float[direction.resultElements(shape)];
    Buffer buffer =
        switch (direction) {
          case FORWARD -> y;
          case DATA -> x;
          case WEIGHT -> weight;
        };
    buffer.download(0, values);
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

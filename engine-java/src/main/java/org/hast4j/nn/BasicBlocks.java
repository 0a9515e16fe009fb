package org.hast4j.nn;

/**
 * The residual units of He et al. 2016 with two 3x3 convolutions, which all ResNets of up to 34
 * layers and those for CIFAR are made of. Layers are named as in torchvision.
 */
final class BasicBlocks {
  private BasicBlocks() {}

  /**
   * Appends stages of units: layer1, layer2, .. Every stage after the first halves height and width
   * and doubles the channels.
   *
   * @param x what the first unit reads, of {@code width} channels
   * @param units number of units of each stage
   * @return the last layer
   */
  static int append(
      Topology.Builder net, int x, int width, CifarResNet.Shortcut shortcut, int... units) {
    int last = x;
    long inputs = width;
    for (int stage = 1; stage <= units.length; stage++) {
      long outputs = (long) width << (stage - 1);
      for (int unit = 0; unit < units[stage - 1]; unit++) {
        int stride = stage > 1 && unit == 0 ? 2 : 1;
        last = unit(net, "layer" + stage + "." + unit, last, inputs, outputs, stride, shortcut);
        inputs = outputs;
      }
    }
    return last;
  }

  private static int unit(
      Topology.Builder net,
      String name,
      int x,
      long inputs,
      long outputs,
      int stride,
      CifarResNet.Shortcut shortcut) {
    int carried = x;
    if (stride != 1 || inputs != outputs) {
      carried =
          switch (shortcut) {
            case A -> net.add(name + ".shortcut", new Layer.PadShortcut(stride, outputs), x);
            case B -> {
              int conv =
                  net.add(
                      name + ".downsample.0",
                      new Layer.Convolution(inputs, outputs, 1, stride, 0),
                      x);
              yield net.add(name + ".downsample.1", new Layer.BatchNorm(outputs), conv);
            }
          };
    }
    int y = net.add(name + ".conv1", new Layer.Convolution(inputs, outputs, 3, stride, 1), x);
    y = net.add(name + ".bn1", new Layer.BatchNorm(outputs), y);
    y = net.add(name + ".relu1", new Layer.Relu(), y);
    y = net.add(name + ".conv2", new Layer.Convolution(outputs, outputs, 3, 1, 1), y);
    y = net.add(name + ".bn2", new Layer.BatchNorm(outputs), y);
    y = net.add(name + ".add", new Layer.Add(), y, carried);
    return net.add(name + ".relu2", new Layer.Relu(), y);
  }
}

package org.hast4j.zoo;

import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

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
  static String append(
      Model.Builder net, String x, int width, CifarResNet.Shortcut shortcut, int... units) {
    String last = x;
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

  private static String unit(
      Model.Builder net,
      String name,
      String x,
      long inputs,
      long outputs,
      int stride,
      CifarResNet.Shortcut shortcut) {
    String carried = x;
    if (stride != 1 || inputs != outputs) {
      carried =
          switch (shortcut) {
            case A -> net.add(name + ".shortcut", new Operator.ChannelPad(stride, outputs), x);
            case B -> {
              String conv =
                  net.add(
                      name + ".downsample.0",
                      new Operator.Convolution(inputs, outputs, 1, stride, 0),
                      x);
              yield net.add(name + ".downsample.1", new Operator.BatchNorm(outputs), conv);
            }
          };
    }
    String y = net.add(name + ".conv1", new Operator.Convolution(inputs, outputs, 3, stride, 1), x);
    y = net.add(name + ".bn1", new Operator.BatchNorm(outputs), y);
    y = net.add(name + ".relu1", new Operator.Activation(ActivationFunction.relu()), y);
    y = net.add(name + ".conv2", new Operator.Convolution(outputs, outputs, 3, 1, 1), y);
    y = net.add(name + ".bn2", new Operator.BatchNorm(outputs), y);
    y = net.add(name + ".add", new Operator.Add(), y, carried);
    return net.add(name + ".relu2", new Operator.Activation(ActivationFunction.relu()), y);
  }
}

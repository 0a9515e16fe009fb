package org.hast4j.zoo;

import org.hast4j.tensor.ActivationFunction;

/** A convolution, its BatchNorm and its activation, by their layers' names. */
record ConvBlock(String convolution, String norm, String activation) {
  /** The parts 0, 1 and 2 of something. */
  static ConvBlock of(String name) {
    return new ConvBlock(name + ".0", name + ".1", name + ".2");
  }

  /** Appends all three. */
  String activated(Stack net, int stride, ActivationFunction function, String x) {
    return net.activation(activation, function, linear(net, stride, x));
  }

  /** Appends convolution and BatchNorm. */
  String linear(Stack net, int stride, String x) {
    return net.norm(norm, net.convolution(convolution, stride, x));
  }
}

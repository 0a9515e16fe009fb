package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * GoogLeNet of Szegedy et al. 2015 (arXiv 1409.4842) with BatchNorms, in torchvision's names: three
 * convolutions, nine inception units of four branches, global average pooling and a linear
 * classifier. Its pools keep windows that reach beyond the image.
 */
final class GoogLeNets {
  private final Stack net;
  private final ActivationFunction function;

  private GoogLeNets(Stack net, ActivationFunction function) {
    this.net = net;
    this.function = function;
  }

  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "conv1.conv", Topologies.IMAGE_NET_SIZE, "1e-3");
    assumed.say(
        "torchvision's published weights were trained with transform_input, that is with mean and"
            + " std of 0.5");
    return new GoogLeNets(net, assumed.activation("relu")).built();
  }

  private Model built() {
    String x = block("conv1", 2, Model.IMAGE);
    x = halved("maxpool1", 3, x);
    x = block("conv3", 1, block("conv2", 1, x));
    x = halved("maxpool2", 3, x);
    for (String unit : List.of("3a", "3b")) {
      x = inception("inception" + unit, x);
    }
    x = halved("maxpool3", 3, x);
    for (String unit : List.of("4a", "4b", "4c", "4d", "4e")) {
      x = inception("inception" + unit, x);
    }
    x = halved("maxpool4", 2, x);
    for (String unit : List.of("5a", "5b")) {
      x = inception("inception" + unit, x);
    }
    net.head("avgpool", "fc", x);
    return net.build("googlenet" + net.suffix("fc"));
  }

  private String halved(String name, int kernel, String x) {
    return net.poolCeil(name, Operator.Pool.Kind.MAX, kernel, 2, 0, x);
  }

  private String block(String name, int stride, String x) {
    return new ConvBlock(name + ".conv", name + ".bn", name + ".relu")
        .activated(net, stride, function, x);
  }

  private String inception(String name, String x) {
    List<String> branches = new ArrayList<>(List.of(block(name + ".branch1", 1, x)));
    for (String branch : List.of(".branch2", ".branch3")) {
      branches.add(block(name + branch + ".1", 1, block(name + branch + ".0", 1, x)));
    }
    String pooled = net.pool(name + ".branch4.0", Operator.Pool.Kind.MAX, 3, 1, 1, x);
    branches.add(block(name + ".branch4.1", 1, pooled));
    return net.concat(name + ".concat", branches);
  }
}

package org.hast4j.zoo;

import java.util.List;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * The MiniFASNets of minivision-ai's Silent-Face-Anti-Spoofing, made of MobileFaceNet's parts:
 * blocks conv, bn, prelu; units of an expansion conv, a depthwise conv_dw and a linear project,
 * with a sum around those in conv_3, conv_4 and conv_5 and squeeze-and-excitation where there are
 * tensors of it; a depthwise convolution over the whole image, and two linear layers with a
 * BatchNorm between them.
 */
final class MiniFasNets {
  // Four strides of 2 before the convolution over the whole image.
  private static final int REDUCTION = 16;

  private final State state;
  private final Stack net;

  private MiniFasNets(State state, Stack net) {
    this.state = state;
    this.net = net;
  }

  static Model model(State state, Assumptions assumed) {
    int last = (int) Math.min(state.weight("conv_6_dw.conv", 4).size(2), 64);
    Stack net = Stack.of(state, assumed, "conv1.conv", REDUCTION * last);
    return new MiniFasNets(state, net).built();
  }

  private Model built() {
    String x = block("conv1", 2, Model.IMAGE);
    x = block("conv2_dw", 1, x);
    for (int stage : List.of(3, 4, 5)) {
      x = unit("conv_" + (stage - 1) + stage, 2, x);
      String units = "conv_" + stage + ".model.";
      for (int i : state.numbers(units)) {
        x = net.add(units + i + ".add", x, unit(units + i, 1, x));
      }
    }
    x = block("conv_6_sep", 1, x);
    x = net.norm("conv_6_dw.bn", net.convolution("conv_6_dw.conv", 1, 0, 0, x));
    x = net.linear("linear", net.add("conv_6_flatten", new Operator.Flatten(), x));
    net.linear("prob", net.norm("bn", x));
    return net.build("minifasnet" + net.suffix("prob"));
  }

  private String block(String name, int stride, String x) {
    String y = net.norm(name + ".bn", net.convolution(name + ".conv", stride, x));
    return net.prelu(name + ".prelu", y);
  }

  private String unit(String name, int stride, String x) {
    String y = block(name + ".conv", 1, x);
    y = block(name + ".conv_dw", stride, y);
    y = net.norm(name + ".project.bn", net.convolution(name + ".project.conv", 1, y));
    return state.hasLayer(name + ".se_module.fc1") ? excited(name + ".se_module", y) : y;
  }

  private String excited(String name, String x) {
    String y = net.globalPool(name + ".avg_pool", x);
    y = net.norm(name + ".bn1", net.linear(name + ".fc1", y));
    y = net.activation(name + ".relu", ActivationFunction.relu(), y);
    y = net.norm(name + ".bn2", net.linear(name + ".fc2", y));
    y =
        net.activation(
            name + ".sigmoid", new ActivationFunction(ActivationFunction.Kind.SIGMOID), y);
    return net.add(name + ".scale", new Operator.Mul(), x, y);
  }
}

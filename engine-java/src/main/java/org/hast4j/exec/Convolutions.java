package org.hast4j.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.ConvolutionChoice;
import org.hast4j.device.Device;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.io.UserCache;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.OwnConvolution;
import org.hast4j.tensor.Shape;
import org.hast4j.vendor.CudnnAvailability;
import org.hast4j.vendor.CudnnConvolutions;
import org.hast4j.vendor.CudnnLibrary;

/**
 * What computes the convolutions of a device's programs. A choice is made once for each shape and
 * direction, while a program is compiled: so all programs of a device agree, and a captured graph
 * holds it.
 */
public final class Convolutions implements Device.Attachment {
  private static final String FILE = "convolutions.json";

  private final Device device;
  private final Map<Key, ConvolutionMethod> chosen = new HashMap<>();
  private final Cudnn cudnn;

  private record Key(ConvolutionShape shape, ConvolutionDirection direction) {}

  /** cuDNN beside what tells where it wins. */
  private record Cudnn(
      CudnnConvolutions convolutions, ConvolutionTimes times, FastestConvolution fastest) {}

  private Convolutions(Device device, Cudnn cudnn) {
    this.device = device;
    this.cudnn = cudnn;
  }

  /**
   * The convolutions of a device, as its options choose them.
   *
   * @throws IllegalStateException if they ask for cuDNN and it cannot be used: says why
   */
  public static Convolutions of(Device device) {
    return device.attached(Convolutions.class, () -> open(device));
  }

  private static Convolutions open(Device device) {
    ConvolutionChoice choice = device.options().convolutions();
    boolean gpu = device.kernels().streamNative(device.stream()) != 0;
    if (choice == ConvolutionChoice.CUDNN && !gpu) {
      throw new IllegalStateException(
          "cuDNN needs an NVIDIA GPU (--device cuda), and this device is none: "
              + device.description());
    }
    if (choice == ConvolutionChoice.OWN || !gpu) {
      return new Convolutions(device, null);
    }
    return switch (CudnnLibrary.probe()) {
      case CudnnAvailability.Available available -> withCudnn(device, available.version());
      case CudnnAvailability.Unavailable unavailable -> {
        if (choice == ConvolutionChoice.CUDNN) {
          throw new IllegalStateException("cuDNN cannot be used: " + unavailable.reason());
        }
        yield new Convolutions(device, null);
      }
    };
  }

  private static Convolutions withCudnn(Device device, String version) {
    try {
      return new Convolutions(device, open(device, version));
    } catch (IllegalStateException e) {
      if (device.options().convolutions() == ConvolutionChoice.CUDNN) {
        throw e;
      }
      warn("convolutions run on own kernels: " + e.getMessage());
      return new Convolutions(device, null);
    }
  }

  private static void warn(String message) {
    System.getLogger("hast").log(System.Logger.Level.WARNING, message);
  }

  private static Cudnn open(Device device, String version) {
    String environment =
        "%s, cuDNN %s, kernels %s, %s"
            .formatted(
                device.description(),
                version,
                device.kernelChecksum(),
                device.options().precision());
    ConvolutionTimes times =
        new ConvolutionTimes(UserCache.folder().resolve(FILE), environment, Convolutions::warn);
    return new Cudnn(
        new CudnnConvolutions(device, List.copyOf(Capture.streams(device).values())),
        times,
        new FastestConvolution(
            times,
            (shape, direction, methods) -> new DeviceTrial(device, shape, direction, methods),
            Convolutions::warn));
  }

  /** What computes a convolution. */
  ConvolutionMethod forward(Op.Conv2d op, Node node) {
    return method(
        type(node, 0), type(node, 1), op.stride(), op.pad(), ConvolutionDirection.FORWARD);
  }

  /** What computes the gradient of a convolution's input. */
  ConvolutionMethod dataGradient(Op.Conv2dDataGrad op, Node node) {
    return method(
        op.x().shape(), type(node, 1), op.stride(), op.pad(), ConvolutionDirection.DATA_GRADIENT);
  }

  /** What computes the gradient of a convolution's weights. */
  ConvolutionMethod weightGradient(Op.Conv2dWeightGrad op, Node node) {
    return method(
        type(node, 1),
        op.weight().shape(),
        op.stride(),
        op.pad(),
        ConvolutionDirection.WEIGHT_GRADIENT);
  }

  private static Shape type(Node node, int input) {
    return node.inputs().get(input).type().shape();
  }

  private ConvolutionMethod method(
      Shape x, Shape w, int stride, int pad, ConvolutionDirection direction) {
    ConvolutionShape shape =
        new ConvolutionShape(
            x.size(0), x.size(1), x.size(2), x.size(3), w.size(0), w.size(1), w.size(2), stride,
            pad);
    return chosen.computeIfAbsent(new Key(shape, direction), _ -> choose(shape, direction));
  }

  private ConvolutionMethod choose(ConvolutionShape shape, ConvolutionDirection direction) {
    ConvolutionMethod own = new OwnConvolution(device.kernels(), shape, direction);
    if (cudnn == null) {
      return own;
    }
    List<ConvolutionMethod> methods =
        new ArrayList<>(cudnn.convolutions().methods(shape, direction));
    if (device.options().convolutions() == ConvolutionChoice.AUTO) {
      methods.addFirst(own);
    } else if (methods.isEmpty()) {
      throw new IllegalStateException(
          "cuDNN has no deterministic algorithm for the convolution %s %s: use --conv auto"
              .formatted(direction, shape));
    }
    return cudnn.fastest().choose(shape, direction, methods);
  }

  /** Keeps what was measured for the next run. */
  void keepTimes() {
    if (cudnn != null) {
      cudnn.times().save();
    }
  }

  @Override
  public void close() {
    if (cudnn != null) {
      cudnn.convolutions().close();
    }
  }
}

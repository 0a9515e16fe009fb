package org.hast4j.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.Remedy;
import org.hast4j.failure.UnavailableException;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Node;
import org.hast4j.io.UserCache;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.OwnProduct;
import org.hast4j.kernel.Product;
import org.hast4j.tensor.Shape;
import org.hast4j.vendor.CublasLtProducts;
import org.hast4j.vendor.CudnnConvolutions;
import org.hast4j.vendor.VendorAvailability;
import org.hast4j.vendor.VendorException;
import org.hast4j.vendor.VendorLibrary;

/**
 * What computes the convolutions and the matrix products of a device's programs. A choice is made
 * once for each, while a program is compiled: so all programs of a device agree, and a captured
 * graph holds it.
 */
public final class Products implements OpenDevice.Attachment {
  private static final String FILE = "methods.json";

  private final OpenDevice device;
  private final Map<Product, Algorithm> chosen = new HashMap<>();
  private final Vendors vendors;

  /**
   * NVIDIA's libraries beside what tells where they win.
   *
   * @param cudnn null where it cannot be used
   * @param cublasLt null where it cannot be used
   */
  private record Vendors(
      CudnnConvolutions cudnn,
      CublasLtProducts cublasLt,
      AlgorithmTimes times,
      FastestAlgorithm fastest)
      implements AutoCloseable {
    List<Algorithm> algorithms(Product product) {
      List<Algorithm> algorithms = new ArrayList<>();
      if (cudnn != null && !product.linear()) {
        algorithms.addAll(cudnn.algorithms(product));
      }
      if (cublasLt != null && product.isMatrixProduct()) {
        algorithms.addAll(cublasLt.algorithms(product));
      }
      return algorithms;
    }

    @Override
    public void close() {
      if (cublasLt != null) {
        cublasLt.close();
      }
      if (cudnn != null) {
        cudnn.close();
      }
    }
  }

  private Products(OpenDevice device, Vendors vendors) {
    this.device = device;
    this.vendors = vendors;
  }

  /**
   * The products of a device, as its options choose them.
   *
   * @throws UnavailableException if they ask for cuDNN and it cannot be used, or cuBLASLt is found
   *     and does not open: says why
   */
  public static Products of(OpenDevice device) {
    return device.attached(Products.class, () -> open(device));
  }

  private static Products open(OpenDevice device) {
    ConvolutionChoice choice = device.options().convolutions();
    boolean gpu = device.nativeStream(device.stream()) != 0;
    if (choice == ConvolutionChoice.CUDNN && !gpu) {
      throw new UnavailableException(
          "cuDNN needs an NVIDIA GPU, and this device is none (%s): choose one"
              .formatted(device.description()),
          Remedy.USE_GPU);
    }
    return new Products(
        device, choice == ConvolutionChoice.OWN || !gpu ? null : openVendors(device));
  }

  /** Null where there is none. */
  private static Vendors openVendors(OpenDevice device) {
    List<Long> streams = List.copyOf(Capture.streams(device).values());
    StringBuilder environment = new StringBuilder(device.description());
    CudnnConvolutions cudnn = null;
    CublasLtProducts cublasLt = null;
    switch (VendorLibrary.CUDNN.probe()) {
      case VendorAvailability.Available available -> {
        try {
          cudnn = new CudnnConvolutions(device, streams);
          environment.append(", cuDNN ").append(available.version());
        } catch (VendorException e) {
          passOver(device, e);
        }
      }
      case VendorAvailability.Unavailable unavailable -> {
        if (device.options().convolutions() == ConvolutionChoice.CUDNN) {
          throw new UnavailableException("cuDNN cannot be used: " + unavailable.reason());
        }
      }
    }
    if (VendorLibrary.CUBLAS_LT.probe() instanceof VendorAvailability.Available available) {
      try {
        cublasLt = new CublasLtProducts(device, streams);
        environment.append(", cuBLASLt ").append(available.version());
      } catch (VendorException e) {
        if (cudnn != null && device.options().convolutions() == ConvolutionChoice.CUDNN) {
          cudnn.close();
        }
        passOver(device, e);
      }
    }
    if (cudnn == null && cublasLt == null) {
      return null;
    }
    environment
        .append(", kernels ")
        .append(device.kernelChecksum())
        .append(", ")
        .append(device.options().precision());
    AlgorithmTimes times =
        new AlgorithmTimes(
            UserCache.folder().resolve(FILE), environment.toString(), Products::warn);
    return new Vendors(
        cudnn,
        cublasLt,
        times,
        new FastestAlgorithm(
            times,
            (product, algorithms) -> new DeviceTrial(device, product, algorithms),
            Products::warn));
  }

  /** A library that is there and does not open. */
  private static void passOver(OpenDevice device, VendorException failure) {
    if (device.options().convolutions() == ConvolutionChoice.CUDNN) {
      throw failure;
    }
    warn("own kernels run in its place: " + failure.getMessage());
  }

  private static void warn(String message) {
    System.getLogger("hast").log(System.Logger.Level.WARNING, message);
  }

  /** What computes a convolution. */
  Algorithm algorithm(Convolution.Conv2d op, Node node) {
    boolean bias = node.inputs().size() == 3;
    return convolution(input(node, 0), input(node, 1), op, ConvolutionDirection.FORWARD, bias);
  }

  /** What computes the gradient of a convolution's input. */
  Algorithm algorithm(Convolution.Conv2dDataGrad op, Node node) {
    Shape x = op.x().shape();
    return convolution(x, input(node, 1), op.forward(), ConvolutionDirection.DATA_GRADIENT, false);
  }

  /** What computes the gradient of a convolution's weights. */
  Algorithm algorithm(Convolution.Conv2dWeightGrad op, Node node) {
    Shape w = op.weight().shape();
    return convolution(
        input(node, 1), w, op.forward(), ConvolutionDirection.WEIGHT_GRADIENT, false);
  }

  /** What computes a linear layer. */
  Algorithm algorithm(Convolution.Linear op, Node node) {
    boolean bias = node.inputs().size() == 3;
    return linear(input(node, 0), input(node, 1), ConvolutionDirection.FORWARD, bias);
  }

  /** What computes the gradient of a linear layer's input. */
  Algorithm algorithm(Convolution.LinearDataGrad op, Node node) {
    return linear(input(node, 0), input(node, 1), ConvolutionDirection.DATA_GRADIENT, false);
  }

  /** What computes the gradients of a linear layer's weights and bias. */
  Algorithm algorithm(Convolution.LinearWeightGrad op, Node node) {
    Shape w = node.outputs().getFirst().shape();
    return linear(input(node, 0), w, ConvolutionDirection.WEIGHT_GRADIENT, false);
  }

  private static Shape input(Node node, int index) {
    return node.inputs().get(index).type().shape();
  }

  private Algorithm convolution(
      Shape x, Shape w, Convolution.Conv2d op, ConvolutionDirection direction, boolean bias) {
    ConvolutionShape shape =
        new ConvolutionShape(
            x.size(0),
            x.size(1),
            x.size(2),
            x.size(3),
            w.size(0),
            w.size(1),
            w.size(2),
            op.groups(),
            op.window());
    return algorithm(Product.convolution(shape, direction, bias));
  }

  private Algorithm linear(Shape rows, Shape w, ConvolutionDirection direction, boolean bias) {
    return algorithm(Product.linear(rows.size(0), w.size(1), w.size(0), direction, bias));
  }

  private Algorithm algorithm(Product product) {
    return chosen.computeIfAbsent(product, this::choose);
  }

  private Algorithm choose(Product product) {
    Algorithm own = new OwnProduct(device.library(), product);
    if (vendors == null) {
      return own;
    }
    boolean any = device.options().convolutions() == ConvolutionChoice.AUTO;
    List<Algorithm> algorithms = vendors.algorithms(product);
    if (algorithms.isEmpty()) {
      if (any || product.linear()) {
        return own;
      }
      throw new UnavailableException(
          "cuDNN has no deterministic algorithm for the %s: let own kernels compute it, too"
              .formatted(product),
          Remedy.USE_FASTEST_KERNELS);
    }
    if (any) {
      algorithms.addFirst(own);
    }
    return vendors.fastest().choose(product, algorithms);
  }

  /** Keeps what was measured for the next run. */
  void keepTimes() {
    if (vendors != null) {
      vendors.times().save();
    }
  }

  @Override
  public void close() {
    if (vendors != null) {
      vendors.close();
    }
  }
}

package org.hast4j.vendor;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.Product;
import org.hast4j.kernel.abi.ChannelSumFwd;
import org.hast4j.kernel.abi.ChannelSumWorkspaceBytes;

/**
 * cuBLASLt's products of matrices on the streams of a device: linear layers, and 1x1 convolutions
 * of stride 1 without padding. Only algorithms that never split a sum are offered. {@link
 * VendorLibrary#probe} must have found cuBLASLt before.
 */
public final class CublasLtProducts implements AutoCloseable {
  private static final long WORKSPACE_LIMIT = 32L << 20;
  private static final int ALGORITHMS = 8;
  private static final int ALGORITHM_BYTES = 64;
  private static final int ALIGNMENT = 16;

  private final OpenDevice device;
  private final Streams streams;
  private final cublasLtContext handle = new cublasLtContext();
  private final List<CublasLtDescriptors> descriptors = new ArrayList<>();
  private final Arena arena = Arena.ofShared();
  private final Pointer zero = new Address(arena.allocateFrom(JAVA_FLOAT, 0).address());
  private final Pointer one = new Address(arena.allocateFrom(JAVA_FLOAT, 1).address());

  /**
   * Opens cuBLASLt.
   *
   * @param streams all that will launch products
   * @throws VendorException if cuBLASLt refuses the device
   */
  public CublasLtProducts(OpenDevice device, List<Long> streams) {
    this.device = device;
    this.streams = new Streams(device, streams);
    try {
      VendorStatus.cublasLt("cublasLtCreate", cublas.cublasLtCreate(handle));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * The algorithms that cuBLASLt advises for a product of matrices, best first. Each is named
   * {@code cublaslt} and a checksum of what cuBLASLt calls it.
   */
  public List<Algorithm> algorithms(Product product) {
    try {
      CublasLtDescriptors described =
          new CublasLtDescriptors(product, device.options().precision(), arena);
      descriptors.add(described);
      return algorithms(product, described);
    } catch (VendorException e) {
      return List.of();
    }
  }

  private List<Algorithm> algorithms(Product product, CublasLtDescriptors described) {
    int bytes = Loader.sizeof(cublasLtMatmulHeuristicResult_t.class);
    MemorySegment memory = arena.allocate((long) bytes * ALGORITHMS, Long.BYTES);
    var results = new cublasLtMatmulHeuristicResult_t(new Address(memory.address()));
    int count;
    if (product.bias()) {
      // It is asked for with the alignment of one; where it lies shows later.
      described.bias(ALIGNMENT);
    }
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment found = scratch.allocate(JAVA_INT);
      VendorStatus.cublasLt(
          "cublasLtMatmulAlgoGetHeuristic",
          cublas.cublasLtMatmulAlgoGetHeuristic(
              handle,
              described.operation(),
              described.second(),
              described.first(),
              described.result(),
              described.result(),
              described.preference(WORKSPACE_LIMIT, ALIGNMENT),
              ALGORITHMS,
              results,
              new IntPointer(new Address(found.address()))));
      count = found.get(JAVA_INT, 0);
    }
    Map<String, Algorithm> algorithms = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      cublasLtMatmulHeuristicResult_t result = results.getPointer(i);
      if (result.state() == cublas.CUBLAS_STATUS_SUCCESS) {
        CRC32C checksum = new CRC32C();
        checksum.update(memory.asSlice((long) bytes * i, ALGORITHM_BYTES).asByteBuffer());
        String name = "cublaslt %08x".formatted(checksum.getValue());
        algorithms.putIfAbsent(
            name, new Method(product, described, name, result.algo(), result.workspaceSize()));
      }
    }
    return List.copyOf(algorithms.values());
  }

  /** Destroys everything; nothing could be done about a failure. */
  @Override
  public void close() {
    descriptors.forEach(CublasLtDescriptors::close);
    descriptors.clear();
    if (!handle.isNull()) {
      cublas.cublasLtDestroy(handle);
      handle.setNull();
    }
    arena.close();
  }

  private final class Method implements Algorithm {
    private final Product product;
    private final CublasLtDescriptors described;
    private final String name;
    private final cublasLtMatmulAlgo_t algorithm;
    private final long productBytes;

    Method(
        Product product,
        CublasLtDescriptors described,
        String name,
        cublasLtMatmulAlgo_t algorithm,
        long productBytes) {
      this.product = product;
      this.described = described;
      this.name = name;
      this.algorithm = algorithm;
      this.productBytes = productBytes;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public long workspaceBytes() {
      return product.hasBiasGradient()
          ? Math.max(
              productBytes,
              new ChannelSumWorkspaceBytes(device.library())
                  .rows(product.matrixRows())
                  .c(product.shape().k())
                  .call())
          : productBytes;
    }

    /**
     * Binds the operands.
     *
     * @throws IllegalStateException if one is not aligned as the algorithm was asked for
     */
    @Override
    public Launch bind(Operands operands) {
      for (long address :
          new long[] {operands.result(), operands.first(), operands.second(), operands.bias()}) {
        if (address % ALIGNMENT != 0) {
          throw new IllegalStateException(
              "cuBLASLt was promised operands at multiples of %d bytes, and one of %s lies at %#x;"
                      .formatted(ALIGNMENT, product, address)
                  + " own kernels do without cuBLASLt");
        }
      }
      Launch matrices = product(operands);
      if (!product.hasBiasGradient() || operands.bias() == 0) {
        return matrices;
      }
      // The workspace is free again when the product is done: one stream runs both.
      Launch sum =
          new ChannelSumFwd(device.library())
              .y(operands.bias())
              .x(operands.first())
              .workspace(operands.workspace())
              .workspaceBytes(operands.workspaceBytes())
              .rows(product.matrixRows())
              .c(product.shape().k());
      return stream -> {
        matrices.launch(stream);
        sum.launch(stream);
      };
    }

    private Launch product(Operands operands) {
      Pointer result = Address.of(operands.result());
      Pointer first = Address.of(operands.first());
      Pointer second = Address.of(operands.second());
      Pointer workspace = Address.of(operands.workspace());
      Pointer beta = operands.accumulate() ? one : zero;
      return stream -> {
        if (product.bias()) {
          described.bias(operands.bias());
        }
        VendorStatus.cublasLt(
            "cublasLtMatmul",
            cublas.cublasLtMatmul(
                handle,
                described.operation(),
                one,
                second,
                described.second(),
                first,
                described.first(),
                beta,
                result,
                described.result(),
                result,
                described.result(),
                algorithm,
                workspace,
                operands.workspaceBytes(),
                streams.nativeOf(stream)));
      };
    }
  }
}

package org.hast4j.bench;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import java.util.Map;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl.algorithm;
import org.bytedeco.dnnl.global.dnnl.prop_kind;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.hast4j.kernel.ConvolutionDirection;

/**
 * Intel's oneDNN. Activations are NHWC, as in this project. Weights and their gradient lie however
 * oneDNN likes them best, and bringing them there is not part of a run: a favour to oneDNN, since
 * trained weights change at every step.
 */
final class OneDnnConvolution implements Convolution {
  private final ResNet20Convolution shape;
  private final engine engine;
  private final stream stream;
  private final primitive convolution;
  private final IntMemoryMap arguments;
  private final memory result;
  private final memory.desc plainResult;
  private final int resultElements;
  private final String implementation;

  OneDnnConvolution(
      ResNet20Convolution shape, ConvolutionDirection direction, int threads, Operands operands) {
    configureThreads(threads);
    this.shape = shape;
    engine = new engine(org.bytedeco.dnnl.engine.kind.cpu, 0);
    stream = new stream(engine);
    memory.desc x = activations(shape.inputs, shape.size);
    memory.desc y = activations(shape.outputs, shape.outputSize);
    memory.desc weight = weights(memory.format_tag.any);
    LongPointer strides = new LongPointer(shape.stride, shape.stride);
    LongPointer pad = new LongPointer(shape.pad, shape.pad);
    convolution_forward.primitive_desc forward =
        new convolution_forward.primitive_desc(
            engine,
            prop_kind.forward_training,
            algorithm.convolution_auto,
            x,
            weight,
            y,
            strides,
            pad,
            pad);
    arguments = new IntMemoryMap();
    resultElements = shape.resultElements(direction, ResNet20Convolution.BATCH);
    switch (direction) {
      case FORWARD -> {
        result = new memory(y, engine);
        bind(
            Map.of(
                DNNL_ARG_SRC, filled(x, x, operands.x()),
                DNNL_ARG_WEIGHTS, filled(forward.weights_desc(), plainWeights(), operands.weight()),
                DNNL_ARG_DST, result));
        convolution = new convolution_forward(forward);
        implementation = forward.impl_info_str().getString();
        plainResult = y;
      }
      case DATA_GRADIENT -> {
        convolution_backward_data.primitive_desc backward =
            new convolution_backward_data.primitive_desc(
                engine, algorithm.convolution_auto, x, weight, y, strides, pad, pad, forward);
        result = new memory(x, engine);
        bind(
            Map.of(
                DNNL_ARG_DIFF_DST, filled(y, y, operands.dy()),
                DNNL_ARG_WEIGHTS,
                    filled(backward.weights_desc(), plainWeights(), operands.weight()),
                DNNL_ARG_DIFF_SRC, result));
        convolution = new convolution_backward_data(backward);
        implementation = backward.impl_info_str().getString();
        plainResult = x;
      }
      case WEIGHT_GRADIENT -> {
        convolution_backward_weights.primitive_desc backward =
            new convolution_backward_weights.primitive_desc(
                engine, algorithm.convolution_auto, x, weight, y, strides, pad, pad, forward);
        result = new memory(backward.diff_weights_desc(), engine);
        bind(
            Map.of(
                DNNL_ARG_SRC, filled(x, x, operands.x()),
                DNNL_ARG_DIFF_DST, filled(y, y, operands.dy()),
                DNNL_ARG_DIFF_WEIGHTS, result));
        convolution = new convolution_backward_weights(backward);
        implementation = backward.impl_info_str().getString();
        plainResult = plainWeights();
      }
      default -> throw new IllegalArgumentException(direction.name());
    }
  }

  /**
   * Must come before the first use of oneDNN, whose OpenMP runtime reads the environment once, when
   * it is loaded. Each thread gets a processor of its own, as the own kernels' threads do. Waiting
   * threads sleep: spinning ones make a machine that has other work several times slower (set
   * OMP_WAIT_POLICY=active outside to see them alone on it).
   */
  private static void configureThreads(int threads) {
    ProcessEnvironment.setDefault("OMP_WAIT_POLICY", "passive");
    ProcessEnvironment.setDefault("OMP_NUM_THREADS", Integer.toString(threads));
    if (threads > 1) {
      ProcessEnvironment.setDefault("OMP_PROC_BIND", "true");
    }
  }

  private static memory.desc activations(long channels, long size) {
    return describe(memory.format_tag.nhwc, ResNet20Convolution.BATCH, channels, size, size);
  }

  private memory.desc weights(memory.format_tag format) {
    return describe(format, shape.outputs, shape.inputs, shape.kernel, shape.kernel);
  }

  private memory.desc plainWeights() {
    return weights(memory.format_tag.ohwi);
  }

  private static memory.desc describe(memory.format_tag format, long... sizes) {
    return new memory.desc(new LongPointer(sizes), memory.data_type.f32, format);
  }

  private void bind(Map<Integer, memory> values) {
    values.forEach(arguments::put);
  }

  private memory filled(memory.desc layout, memory.desc plain, float[] values) {
    memory host = new memory(plain, engine);
    new FloatPointer(host.get_data_handle()).put(values);
    memory target = new memory(layout, engine);
    new reorder(host, target).execute(stream, host, target);
    stream._wait();
    return target;
  }

  @Override
  public void run() {
    convolution.execute(stream, arguments);
    stream._wait();
  }

  @Override
  public float[] result() {
    memory host = new memory(plainResult, engine);
    new reorder(result, host).execute(stream, result, host);
    stream._wait();
    float[] values = new float[resultElements];
    new FloatPointer(host.get_data_handle()).get(values);
    return values;
  }

  @Override
  public String implementation() {
    return "oneDNN " + implementation;
  }

  @Override
  public void close() {
    arguments.deallocate();
    convolution.deallocate();
    result.deallocate();
    stream.deallocate();
    engine.deallocate();
  }
}

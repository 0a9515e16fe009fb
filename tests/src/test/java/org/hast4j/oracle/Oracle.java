package org.hast4j.oracle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.TensorType;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;

/**
 * Every operation evaluated in double precision, element by element, from the formulas of the C
 * headers and of the paper. Slow and plain on purpose. Quantisers alone are evaluated in strict
 * single precision, because there the contract is the bits.
 */
public final class Oracle {
  private Oracle() {}

  /** Least and greatest value that each element of an output may have. */
  public record Bounds(Tensor low, Tensor high) {}

  /**
   * Outputs of an operation; for one with an effect, its inputs as it leaves them.
   *
   * <p>The switch has no default: an operation that is added without an oracle does not compile.
   */
  public static List<Tensor> evaluate(Op op, List<Tensor> in) {
    List<TensorType> types = op.outputs(in.stream().map(Tensor::type).toList());
    return switch (op) {
      case Op.Variable _ -> throw new IllegalArgumentException("a variable is not computed: " + op);
      case Convolution.Conv2d conv -> List.of(convolution(conv, in, types.getFirst()));
      case Convolution.Conv2dDataGrad conv -> List.of(dataGradient(conv, in));
      case Convolution.Conv2dWeightGrad conv -> List.of(weightGradient(conv, in));
      case Convolution.DepthwiseConv2d conv -> List.of(depthwise(conv, in, types.getFirst()));
      case Convolution.DepthwiseConv2dDataGrad conv -> List.of(depthwiseDataGradient(conv, in));
      case Convolution.DepthwiseConv2dWeightGrad conv -> List.of(depthwiseWeightGradient(conv, in));
      case Norm.ChannelSum _ -> List.of(channelSum(in.getFirst()));
      case Norm.BnStats _ -> statistics(in.getFirst());
      case Norm.BnAct norm -> batchNorm(norm, in, types, 0);
      case Norm.BnActGrad norm -> batchNormGradient(norm, in, types);
      case Norm.BnRunningStep step -> runningStep(step, in);
      case Loss.BnStatsLoss loss -> statisticLoss(loss, in, types);
      case Quantization.FakeQuant quant -> List.of(fakeQuant(quant, in));
      case Quantization.FakeQuantGrad grad -> List.of(fakeQuantGradient(grad, in));
      case Quantization.FakeQuantChannel quant -> List.of(fakeQuantChannel(quant, in.getFirst()));
      case Quantization.MinMax _ -> List.of(minMax(in.getFirst()));
      case Quantization.RangeTrackStep step -> rangeTrack(step, in);
      case Convolution.Linear _ -> List.of(linear(in, types.getFirst()));
      case Convolution.LinearDataGrad _ -> List.of(linearDataGradient(in, types.getFirst()));
      case Convolution.LinearWeightGrad _ -> linearWeightGradient(in, types);
      case Pooling.GlobalAvgPool _ -> List.of(pool(in.getFirst(), types.getFirst()));
      case Pooling.GlobalAvgPoolGrad grad -> List.of(poolGradient(in.getFirst(), grad.x()));
      case Pooling.PixelSum _ -> List.of(pixelSum(in, types.getFirst()));
      case Pooling.AveragePool pool -> List.of(averagePool(pool, in.getFirst(), types.getFirst()));
      case Pooling.AveragePoolGrad grad -> List.of(averagePoolGradient(grad, in.getFirst()));
      case Pooling.Concat _ -> List.of(concatenation(in, types.getFirst()));
      case Pooling.Slice slice -> List.of(slice(slice, in.getFirst(), types.getFirst()));
      case Pooling.SliceGrad grad -> List.of(sliceGradient(grad, in.getFirst()));
      case Pooling.ChannelShuffle shuffle -> List.of(shuffle(shuffle, in.getFirst()));
      case Pooling.Flatten _ -> List.of(flatten(in.getFirst(), types.getFirst()));
      case Pooling.FlattenGrad grad -> List.of(flattenGradient(in.getFirst(), grad.x()));
      case Pooling.MaxPool pool -> maxPool(pool, in.getFirst(), types);
      case Pooling.MaxPoolGrad grad -> List.of(maxPoolGradient(grad, in));
      case Pooling.Upsample _ -> List.of(upsample(in.getFirst(), types.getFirst()));
      case Pooling.UpsampleGrad grad -> List.of(upsampleGradient(in.getFirst(), grad.x()));
      case Elementwise.Embedding _ -> List.of(embedding(in, types.getFirst()));
      case Elementwise.EmbeddingGrad grad -> List.of(embeddingGradient(in, grad.table()));
      case Pooling.Shortcut shortcut ->
          List.of(shortcut(shortcut, in.getFirst(), types.getFirst()));
      case Pooling.ShortcutGrad grad -> List.of(shortcutGradient(grad, in.getFirst()));
      case Op.Reshape reshape -> List.of(new Tensor(reshape.type(), in.getFirst().values()));
      case Elementwise.Tanh _ ->
          List.of(map(types.getFirst(), i -> Math.tanh(in.getFirst().values()[i])));
      case Elementwise.TanhGrad _ ->
          List.of(
              map(
                  types.getFirst(),
                  i -> {
                    double y = in.get(1).values()[i];
                    return in.get(0).values()[i] * (1 - y * y);
                  }));
      case Elementwise.Activation activation ->
          List.of(
              map(
                  types.getFirst(),
                  i -> activated(activation.function(), in.getFirst().values()[i])));
      case Elementwise.ActivationGrad grad ->
          List.of(
              map(
                  types.getFirst(),
                  i ->
                      in.get(0).values()[i]
                          * slope(grad.forward().function(), in.get(1).values()[i])));
      case Elementwise.PRelu _ -> List.of(prelu(in, types.getFirst()));
      case Elementwise.PReluGrad _ -> preluGradient(in, types);
      case Elementwise.Add _ ->
          List.of(map(types.getFirst(), i -> in.get(0).values()[i] + repeated(in, i)));
      case Elementwise.Mul _ ->
          List.of(map(types.getFirst(), i -> in.get(0).values()[i] * repeated(in, i)));
      case Elementwise.Scale scale ->
          List.of(map(types.getFirst(), i -> scale.factor() * in.getFirst().values()[i]));
      case Elementwise.SignPerturb perturb ->
          List.of(
              map(
                  types.getFirst(),
                  i ->
                      in.get(0).values()[i]
                          + perturb.epsilon() * Math.signum(in.get(1).values()[i])));
      case Loss.HardCrossEntropy loss -> hardCrossEntropy(loss, in, types);
      case Loss.DistillKl loss -> distillation(loss, in, types);
      case Loss.FeatureAlign loss -> featureAlignment(loss, in, types);
      case Random.PhiloxNormal normal -> List.of(normal(normal, in.getFirst()));
      case Random.PhiloxLabels labels -> List.of(randomLabels(labels, in.getFirst()));
      case Random.Boxes boxes -> List.of(boxes(boxes, in, types.getFirst()));
      case Random.CropFlip _ -> List.of(crop(in, types.getFirst()));
      case Random.GatherLabels _ ->
          List.of(map(types.getFirst(), i -> in.get(0).values()[(int) in.get(1).values()[6 * i]]));
      case Random.CropFlipGrad grad -> List.of(cropGradient(in, grad.images()));
      case Optimizer.AdamStep step -> adam(step, in);
      case Optimizer.SgdStep step -> sgd(step, in);
      case Optimizer.SampleStep step -> sampleStep(step, in);
      case Optimizer.KeepBestStep _ -> keepBest(in);
      case Elementwise.CounterStep _ ->
          List.of(map(in.getFirst().type(), i -> in.getFirst().values()[i] + 1));
    };
  }

  /**
   * What single precision may make of an operation that is exact in all but a few discontinuities:
   * a quantised value may fall to either side of a step, a mask to either side of 0.
   *
   * @param shift relative error of the value before the discontinuity
   */
  public static List<Bounds> bounds(Op op, List<Tensor> in, double shift) {
    List<Tensor> low;
    List<Tensor> high;
    if (op instanceof Norm.BnAct norm) {
      List<TensorType> types = op.outputs(in.stream().map(Tensor::type).toList());
      low = batchNorm(norm, in, types, -shift);
      high = batchNorm(norm, in, types, shift);
    } else {
      low = evaluate(op, in);
      high = low;
    }
    List<Bounds> bounds = new ArrayList<>();
    for (int i = 0; i < low.size(); i++) {
      bounds.add(new Bounds(low.get(i), high.get(i)));
    }
    return bounds;
  }

  private interface Element {
    double at(int index);
  }

  private static Tensor map(TensorType type, Element element) {
    Tensor result = Tensor.zeros(type);
    for (int i = 0; i < result.count(); i++) {
      result.values()[i] = element.at(i);
    }
    return result;
  }

  // ---- convolution: one walk over all products serves the map and both its adjoints ----

  /** Hears of an output pixel, an input pixel it depends on, and the tap between them. */
  private interface Meetings {
    void at(int y, int x, int tap);
  }

  private static void meet(
      TensorType x, TensorType weight, TensorType y, Window window, Meetings meetings) {
    int h = size(x, 1);
    int w = size(x, 2);
    int r = size(weight, 1);
    int s = size(weight, 2);
    int p = size(y, 1);
    int q = size(y, 2);
    for (int n = 0; n < size(x, 0); n++) {
      for (int i = 0; i < p; i++) {
        for (int j = 0; j < q; j++) {
          for (int u = 0; u < r; u++) {
            for (int v = 0; v < s; v++) {
              int row = i * window.strideH() + u * window.dilationH() - window.top();
              int column = j * window.strideW() + v * window.dilationW() - window.left();
              if (row >= 0 && row < h && column >= 0 && column < w) {
                meetings.at((n * p + i) * q + j, (n * h + row) * w + column, u * s + v);
              }
            }
          }
        }
      }
    }
  }

  /**
   * Hears of {@code channels} products: output element y with x and weight from the given indices
   * on.
   */
  private interface Products {
    void at(int y, int x, int weight, int channels);
  }

  private static void walk(
      TensorType x, TensorType weight, TensorType y, Convolution.Conv2d op, Products products) {
    int c = size(x, 3);
    int k = size(weight, 0);
    int taps = size(weight, 1) * size(weight, 2);
    int groupC = c / op.groups();
    int groupK = k / op.groups();
    meet(
        x,
        weight,
        y,
        op.window(),
        (yi, xi, tap) -> {
          for (int o = 0; o < k; o++) {
            products.at(
                yi * k + o, xi * c + o / groupK * groupC, (o * taps + tap) * groupC, groupC);
          }
        });
  }

  private static Tensor convolution(Convolution.Conv2d op, List<Tensor> in, TensorType type) {
    double[] x = in.get(0).values();
    double[] weight = in.get(1).values();
    Tensor result = Tensor.zeros(type);
    double[] y = result.values();
    if (in.size() == 3) {
      double[] bias = in.get(2).values();
      Arrays.setAll(y, i -> bias[i % bias.length]);
    }
    walk(
        in.get(0).type(),
        in.get(1).type(),
        type,
        op,
        (yi, xi, wi, channels) -> {
          double sum = 0;
          for (int c = 0; c < channels; c++) {
            sum += x[xi + c] * weight[wi + c];
          }
          y[yi] += sum;
        });
    return result;
  }

  private static Tensor dataGradient(Convolution.Conv2dDataGrad op, List<Tensor> in) {
    double[] dy = in.get(0).values();
    double[] weight = in.get(1).values();
    Tensor result = op.accumulates() ? in.get(2).copy() : Tensor.zeros(op.x());
    double[] dx = result.values();
    walk(
        op.x(),
        in.get(1).type(),
        in.get(0).type(),
        op.forward(),
        (yi, xi, wi, channels) -> {
          for (int c = 0; c < channels; c++) {
            dx[xi + c] += dy[yi] * weight[wi + c];
          }
        });
    return result;
  }

  private static Tensor weightGradient(Convolution.Conv2dWeightGrad op, List<Tensor> in) {
    double[] dy = in.get(0).values();
    double[] x = in.get(1).values();
    Tensor result = Tensor.zeros(op.weight());
    double[] dweight = result.values();
    walk(
        in.get(1).type(),
        op.weight(),
        in.get(0).type(),
        op.forward(),
        (yi, xi, wi, channels) -> {
          for (int c = 0; c < channels; c++) {
            dweight[wi + c] += dy[yi] * x[xi + c];
          }
        });
    return result;
  }

  private static Tensor depthwise(
      Convolution.DepthwiseConv2d op, List<Tensor> in, TensorType type) {
    double[] x = in.get(0).values();
    double[] weight = in.get(1).values();
    Tensor result = Tensor.zeros(type);
    double[] y = result.values();
    if (in.size() == 3) {
      double[] bias = in.get(2).values();
      Arrays.setAll(y, i -> bias[i % bias.length]);
    }
    depthwise(
        in.get(0).type(),
        in.get(1).type(),
        type,
        op.window(),
        (yi, xi, wi) -> y[yi] += x[xi] * weight[wi]);
    return result;
  }

  private static Tensor depthwiseDataGradient(
      Convolution.DepthwiseConv2dDataGrad op, List<Tensor> in) {
    double[] dy = in.get(0).values();
    double[] weight = in.get(1).values();
    Tensor result = op.accumulates() ? in.get(2).copy() : Tensor.zeros(op.x());
    double[] dx = result.values();
    depthwise(
        op.x(),
        in.get(1).type(),
        in.get(0).type(),
        op.forward().window(),
        (yi, xi, wi) -> dx[xi] += dy[yi] * weight[wi]);
    return result;
  }

  private static Tensor depthwiseWeightGradient(
      Convolution.DepthwiseConv2dWeightGrad op, List<Tensor> in) {
    double[] dy = in.get(0).values();
    double[] x = in.get(1).values();
    Tensor result = Tensor.zeros(op.weight());
    double[] dweight = result.values();
    depthwise(
        in.get(1).type(),
        op.weight(),
        in.get(0).type(),
        op.forward().window(),
        (yi, xi, wi) -> dweight[wi] += dy[yi] * x[xi]);
    return result;
  }

  /** Hears of every product of a depthwise convolution: the elements of y, x and weight. */
  private static void depthwise(
      TensorType x, TensorType weight, TensorType y, Window window, Meetings products) {
    int c = size(x, 3);
    int taps = size(weight, 1) * size(weight, 2);
    meet(
        x,
        weight,
        y,
        window,
        (yi, xi, tap) -> {
          for (int channel = 0; channel < c; channel++) {
            products.at(yi * c + channel, xi * c + channel, channel * taps + tap);
          }
        });
  }

  private static Tensor channelSum(Tensor x) {
    int c = x.size(-1);
    Tensor sums = Tensor.zeros(TensorType.f32(c));
    for (int i = 0; i < x.count(); i++) {
      sums.values()[i % c] += x.values()[i];
    }
    return sums;
  }

  // ---- batch normalisation ----

  private static List<Tensor> statistics(Tensor x) {
    int c = x.size(-1);
    double rows = (double) x.count() / c;
    Tensor mean = channelSum(x);
    Arrays.setAll(mean.values(), i -> mean.values()[i] / rows);
    Tensor variance = Tensor.zeros(mean.type());
    for (int i = 0; i < x.count(); i++) {
      double centered = x.values()[i] - mean.values()[i % c];
      variance.values()[i % c] += centered * centered / rows;
    }
    return List.of(mean, variance);
  }

  /**
   * {@code shift} moves the value before mask, activation and quantiser by a share of the size of
   * its terms.
   */
  private static List<Tensor> batchNorm(
      Norm.BnAct op, List<Tensor> in, List<TensorType> types, double shift) {
    Tensor u = in.getFirst();
    int c = u.size(3);
    int area = u.size(1) * u.size(2);
    double[] residual = op.residual() ? in.get(op.residualInput()).values() : null;
    Tensor y = Tensor.zeros(types.get(Norm.BnAct.Y));
    Tensor mask = Tensor.zeros(types.get(Norm.BnAct.MASK));
    Tensor attention = Tensor.zeros(types.get(Norm.BnAct.ATTENTION));
    for (int i = 0; i < u.count(); i++) {
      int channel = i % c;
      double normalized = normalized(op, in, i, channel);
      double beta = op.affine() ? in.get(4).values()[channel] : 0;
      double f = normalized + beta;
      attention.values()[i / (area * c) * c + channel] += f * f / area;
      double v = f;
      double size = Math.abs(normalized) + Math.abs(beta);
      if (residual != null) {
        v += residual[i];
        size += Math.abs(residual[i]);
      }
      v += shift * size;
      mask.values()[i] = v > 0 && v < op.ceiling() ? 1 : 0;
      double activated = Math.min(v > 0 ? v : op.slope() * v, op.ceiling());
      if (op.bits() > 0) {
        double[] range = in.get(op.rangeInput()).values();
        float a = (float) range[0];
        float b = (float) range[1];
        if (op.straightThrough() == StraightThrough.IN_RANGE
            && clamps((float) activated, a, b, op.bits())) {
          mask.values()[i] = 0;
        }
        activated = fakeQuant((float) activated, a, b, op.bits());
      }
      y.values()[i] = activated;
    }
    List<Tensor> statistics = statistics(u);
    return List.of(y, mask, statistics.get(0), statistics.get(1), attention);
  }

  /** (u - mean) gamma / sqrt(variance + epsilon). */
  private static double normalized(Norm.BnAct op, List<Tensor> in, int index, int channel) {
    double gamma = op.affine() ? in.get(3).values()[channel] : 1;
    double deviation = Math.sqrt(in.get(2).values()[channel] + op.epsilon());
    return (in.get(0).values()[index] - in.get(1).values()[channel]) * gamma / deviation;
  }

  private static List<Tensor> batchNormGradient(
      Norm.BnActGrad op, List<Tensor> in, List<TensorType> types) {
    Norm.BnAct forward = op.forward();
    Tensor u = in.get(1);
    int c = u.size(3);
    int area = u.size(1) * u.size(2);
    double rows = (double) u.count() / c;
    double[] dy = in.get(0).values();
    double[] mean = in.get(2).values();
    double[] variance = in.get(3).values();
    Tensor du = Tensor.zeros(types.get(Norm.BnActGrad.DU));
    Tensor dresidual = Tensor.zeros(types.get(Norm.BnActGrad.DRESIDUAL));
    Tensor dgamma = Tensor.zeros(types.get(Norm.BnActGrad.DGAMMA));
    Tensor dbeta = Tensor.zeros(types.get(Norm.BnActGrad.DBETA));
    double[] df = new double[u.count()];
    double[] hat = new double[u.count()];
    for (int i = 0; i < u.count(); i++) {
      int channel = i % c;
      double gamma = forward.affine() ? in.get(4).values()[channel] : 1;
      double beta = forward.affine() ? in.get(5).values()[channel] : 0;
      boolean positive = !op.mask() || in.get(op.maskInput()).values()[i] != 0;
      double dv = dy[i] * (positive ? 1 : forward.slope());
      hat[i] = (u.values()[i] - mean[channel]) / Math.sqrt(variance[channel] + forward.epsilon());
      df[i] = dv;
      if (op.attention()) {
        double factor = in.get(op.attentionInput()).values()[i / (area * c) * c + channel];
        df[i] += (hat[i] * gamma + beta) * factor;
      }
      dresidual.values()[i] = dv;
      dgamma.values()[channel] += df[i] * hat[i];
      dbeta.values()[channel] += df[i];
    }
    for (int i = 0; i < u.count(); i++) {
      int channel = i % c;
      double gamma = forward.affine() ? in.get(4).values()[channel] : 1;
      double inner = df[i];
      if (forward.training()) {
        inner -= dbeta.values()[channel] / rows + hat[i] * dgamma.values()[channel] / rows;
      }
      du.values()[i] = inner * gamma / Math.sqrt(variance[channel] + forward.epsilon());
      if (op.statistics()) {
        double[] gradient = in.get(op.statisticsInput()).values();
        double batchMean = in.get(op.statisticsInput() + 1).values()[channel];
        du.values()[i] += gradient[channel] + gradient[c + channel] * (u.values()[i] - batchMean);
      }
    }
    return List.of(du, dresidual, dgamma, dbeta);
  }

  private static List<Tensor> runningStep(Norm.BnRunningStep op, List<Tensor> in) {
    double m = op.momentum();
    double unbiased = (double) op.rows() / (op.rows() - 1);
    Tensor mean =
        map(in.get(0).type(), i -> (1 - m) * in.get(0).values()[i] + m * in.get(2).values()[i]);
    Tensor variance =
        map(
            in.get(1).type(),
            i -> (1 - m) * in.get(1).values()[i] + m * unbiased * in.get(3).values()[i]);
    return List.of(mean, variance, in.get(2), in.get(3));
  }

  private static List<Tensor> statisticLoss(
      Loss.BnStatsLoss op, List<Tensor> in, List<TensorType> types) {
    int c = in.getFirst().count();
    double loss = op.accumulates() ? in.get(4).values()[0] : 0;
    Tensor gradient = Tensor.zeros(types.get(1));
    for (int i = 0; i < c; i++) {
      double dm = in.get(0).values()[i] - in.get(2).values()[i];
      double dv = in.get(1).values()[i] - in.get(3).values()[i];
      loss += op.weight() * (dm * dm + dv * dv) / c;
      gradient.values()[i] = op.weight() * 2 / ((double) c * op.rows()) * dm;
      gradient.values()[c + i] = op.weight() * 4 / ((double) c * op.rows()) * dv;
    }
    return List.of(Tensor.of(types.getFirst(), loss), gradient);
  }

  // ---- quantisers: strict single precision, operation by operation ----

  /** The contract of quantize.h, in the order it is written. */
  public static float fakeQuant(float x, float a, float b, int bits) {
    float levels = (1 << bits) - 1;
    float half = 1 << (bits - 1);
    float s = levels / Math.max(b - a, 1e-8f);
    float z = rint(s * a) + half;
    float q = Math.min(Math.max(rint(s * x - z), -half), half - 1);
    return (q + z) / s;
  }

  /** Whether a value's level is outside of those there are. */
  public static boolean clamps(float x, float a, float b, int bits) {
    float half = 1 << (bits - 1);
    float s = ((1 << bits) - 1) / Math.max(b - a, 1e-8f);
    float q = rint(s * x - (rint(s * a) + half));
    return q < -half || q > half - 1;
  }

  private static float rint(float x) {
    return (float) Math.rint(x);
  }

  private static Tensor fakeQuant(Quantization.FakeQuant op, List<Tensor> in) {
    float a = (float) in.get(1).values()[0];
    float b = (float) in.get(1).values()[1];
    return map(in.get(0).type(), i -> fakeQuant((float) in.get(0).values()[i], a, b, op.bits()));
  }

  private static Tensor fakeQuantGradient(Quantization.FakeQuantGrad op, List<Tensor> in) {
    float a = (float) in.get(2).values()[0];
    float b = (float) in.get(2).values()[1];
    return map(
        in.get(0).type(),
        i ->
            clamps((float) in.get(1).values()[i], a, b, op.forward().bits())
                ? 0
                : in.get(0).values()[i]);
  }

  private static Tensor fakeQuantChannel(Quantization.FakeQuantChannel op, Tensor x) {
    int columns = x.count() / x.size(0);
    Tensor y = Tensor.zeros(x.type());
    for (int start = 0; start < x.count(); start += columns) {
      double[] row = Arrays.copyOfRange(x.values(), start, start + columns);
      float a = (float) Arrays.stream(row).min().orElseThrow();
      float b = (float) Arrays.stream(row).max().orElseThrow();
      for (int i = 0; i < columns; i++) {
        y.values()[start + i] = fakeQuant((float) row[i], a, b, op.bits());
      }
    }
    return y;
  }

  private static Tensor minMax(Tensor x) {
    return Tensor.of(
        TensorType.f32(2),
        Arrays.stream(x.values()).min().orElseThrow(),
        Arrays.stream(x.values()).max().orElseThrow());
  }

  private static List<Tensor> rangeTrack(Quantization.RangeTrackStep op, List<Tensor> in) {
    double[] batch = in.get(2).values();
    Tensor state = in.get(1).copy();
    Tensor range = in.get(0).copy();
    double m = op.momentum();
    double t = state.values()[2] * m;
    state.values()[2] = t;
    for (int i = 0; i < 2; i++) {
      double average = m * state.values()[i] + (1 - m) * batch[i];
      double corrected = average / (1 - t);
      state.values()[i] = op.rule() == RangeRule.CORRECT ? average : corrected;
      range.values()[i] = corrected;
    }
    return List.of(range, state, in.get(2));
  }

  // ---- layers ----

  private static Tensor linear(List<Tensor> in, TensorType type) {
    int inputs = in.get(0).size(1);
    int outputs = in.get(1).size(0);
    return map(
        type,
        i -> {
          double sum = in.size() == 3 ? in.get(2).values()[i % outputs] : 0;
          for (int k = 0; k < inputs; k++) {
            sum +=
                in.get(0).values()[i / outputs * inputs + k]
                    * in.get(1).values()[i % outputs * inputs + k];
          }
          return sum;
        });
  }

  private static Tensor linearDataGradient(List<Tensor> in, TensorType type) {
    int inputs = in.get(1).size(1);
    int outputs = in.get(1).size(0);
    return map(
        type,
        i -> {
          double sum = 0;
          for (int o = 0; o < outputs; o++) {
            sum +=
                in.get(0).values()[i / inputs * outputs + o]
                    * in.get(1).values()[o * inputs + i % inputs];
          }
          return sum;
        });
  }

  private static List<Tensor> linearWeightGradient(List<Tensor> in, List<TensorType> types) {
    int inputs = in.get(1).size(1);
    int outputs = in.get(0).size(1);
    int n = in.get(0).size(0);
    Tensor dweight =
        map(
            types.getFirst(),
            i -> {
              double sum = 0;
              for (int k = 0; k < n; k++) {
                sum +=
                    in.get(0).values()[k * outputs + i / inputs]
                        * in.get(1).values()[k * inputs + i % inputs];
              }
              return sum;
            });
    return List.of(dweight, channelSum(in.getFirst()));
  }

  private static Tensor pool(Tensor x, TensorType type) {
    int c = x.size(3);
    int area = x.size(1) * x.size(2);
    Tensor y = Tensor.zeros(type);
    for (int i = 0; i < x.count(); i++) {
      y.values()[i / (area * c) * c + i % c] += x.values()[i] / area;
    }
    return y;
  }

  private static Tensor poolGradient(Tensor dy, TensorType x) {
    int c = size(x, 3);
    int area = size(x, 1) * size(x, 2);
    return map(x, i -> dy.values()[i / (area * c) * c + i % c] / area);
  }

  /** Index in x [n, h, w, c] of what element i of its upsampled image reads. */
  private static int upsampledFrom(int i, TensorType x) {
    int h = size(x, 1);
    int w = size(x, 2);
    int c = size(x, 3);
    int channel = i % c;
    int column = i / c % (2 * w);
    int row = i / c / (2 * w) % (2 * h);
    int n = i / c / (2 * w) / (2 * h);
    return ((n * h + row / 2) * w + column / 2) * c + channel;
  }

  /**
   * Index in x of a cell of the window that output element i looks at, whose rows have s cells; -1
   * for padding.
   */
  private static int pooledFrom(int s, Window window, int i, int cell, TensorType x, TensorType y) {
    int c = size(x, 3);
    int column = i / c % size(y, 2) * window.strideW() - window.left() + cell % s;
    int row = i / c / size(y, 2) % size(y, 1) * window.strideH() - window.top() + cell / s;
    int n = i / c / size(y, 2) / size(y, 1);
    boolean inside = row >= 0 && row < size(x, 1) && column >= 0 && column < size(x, 2);
    return inside ? ((n * size(x, 1) + row) * size(x, 2) + column) * c + i % c : -1;
  }

  private static List<Tensor> maxPool(Pooling.MaxPool op, Tensor x, List<TensorType> types) {
    Tensor y = Tensor.zeros(types.get(Pooling.MaxPool.Y));
    Tensor index = Tensor.zeros(types.get(Pooling.MaxPool.INDEX));
    for (int i = 0; i < y.count(); i++) {
      int winner = -1;
      for (int cell = 0; cell < op.r() * op.s(); cell++) {
        int from = pooledFrom(op.s(), op.window(), i, cell, x.type(), y.type());
        // Double.compare puts NaN above all numbers, as it should be, but 0 above -0.
        if (from >= 0
            && (winner < 0 || Double.compare(x.values()[from] + 0., y.values()[i] + 0.) > 0)) {
          winner = cell;
          y.values()[i] = x.values()[from];
        }
      }
      index.values()[i] = winner;
    }
    return List.of(y, index);
  }

  private static Tensor maxPoolGradient(Pooling.MaxPoolGrad op, List<Tensor> in) {
    Tensor dx = Tensor.zeros(op.x());
    Tensor dy = in.get(0);
    Pooling.MaxPool max = op.forward();
    for (int i = 0; i < dy.count(); i++) {
      int cell = (int) in.get(1).values()[i];
      int from = pooledFrom(max.s(), max.window(), i, cell, op.x(), dy.type());
      dx.values()[from] += dy.values()[i];
    }
    return dx;
  }

  /** Indices in x of the cells of the window that output element i averages, without padding. */
  private static int[] averagedFrom(Pooling.AveragePool op, int i, TensorType x, TensorType y) {
    return IntStream.range(0, op.r() * op.s())
        .map(cell -> pooledFrom(op.s(), op.window(), i, cell, x, y))
        .filter(from -> from >= 0)
        .toArray();
  }

  private static Tensor averagePool(Pooling.AveragePool op, Tensor x, TensorType type) {
    return map(
        type,
        i -> {
          int[] from = averagedFrom(op, i, x.type(), type);
          int cells = op.countIncludePad() ? op.r() * op.s() : from.length;
          return Arrays.stream(from).mapToDouble(k -> x.values()[k]).sum() / cells;
        });
  }

  private static Tensor averagePoolGradient(Pooling.AveragePoolGrad op, Tensor dy) {
    Tensor dx = Tensor.zeros(op.x());
    int all = op.forward().r() * op.forward().s();
    for (int i = 0; i < dy.count(); i++) {
      int[] from = averagedFrom(op.forward(), i, op.x(), dy.type());
      int cells = op.forward().countIncludePad() ? all : from.length;
      for (int k : from) {
        dx.values()[k] += dy.values()[i] / cells;
      }
    }
    return dx;
  }

  // ---- channels apart and together ----

  private static Tensor concatenation(List<Tensor> in, TensorType type) {
    Tensor y = Tensor.zeros(type);
    int c = size(type, -1);
    int begin = 0;
    for (Tensor x : in) {
      int own = x.size(-1);
      for (int i = 0; i < x.count(); i++) {
        y.values()[i / own * c + begin + i % own] = x.values()[i];
      }
      begin += own;
    }
    return y;
  }

  private static Tensor slice(Pooling.Slice op, Tensor x, TensorType type) {
    int k = size(type, -1);
    return map(type, i -> x.values()[i / k * x.size(-1) + op.begin() + i % k]);
  }

  private static Tensor sliceGradient(Pooling.SliceGrad op, Tensor dy) {
    Tensor dx = Tensor.zeros(op.x());
    int k = dy.size(-1);
    for (int i = 0; i < dy.count(); i++) {
      dx.values()[i / k * size(op.x(), -1) + op.forward().begin() + i % k] = dy.values()[i];
    }
    return dx;
  }

  /** Channel m of group g goes to place m groups + g. */
  private static Tensor shuffle(Pooling.ChannelShuffle op, Tensor x) {
    int c = x.size(-1);
    int members = c / op.groups();
    Tensor y = Tensor.zeros(x.type());
    for (int i = 0; i < x.count(); i++) {
      int group = i % c / members;
      int member = i % c % members;
      y.values()[i / c * c + member * op.groups() + group] = x.values()[i];
    }
    return y;
  }

  /** Index in [n, c, h, w] of element i of [n, h, w, c]. */
  private static int flattened(int i, TensorType x) {
    int c = size(x, 3);
    int area = size(x, 1) * size(x, 2);
    return (i / (area * c) * c + i % c) * area + i / c % area;
  }

  private static Tensor flatten(Tensor x, TensorType type) {
    Tensor y = Tensor.zeros(type);
    for (int i = 0; i < x.count(); i++) {
      y.values()[flattened(i, x.type())] = x.values()[i];
    }
    return y;
  }

  private static Tensor flattenGradient(Tensor dy, TensorType x) {
    return map(x, i -> dy.values()[flattened(i, x)]);
  }

  private static Tensor upsample(Tensor x, TensorType type) {
    return map(type, i -> x.values()[upsampledFrom(i, x.type())]);
  }

  private static Tensor upsampleGradient(Tensor dy, TensorType x) {
    Tensor dx = Tensor.zeros(x);
    for (int i = 0; i < dy.count(); i++) {
      dx.values()[upsampledFrom(i, x)] += dy.values()[i];
    }
    return dx;
  }

  private static Tensor embedding(List<Tensor> in, TensorType type) {
    int d = in.get(1).size(1);
    return map(
        type,
        i ->
            in.get(0).values()[(int) in.get(2).values()[i / d] * d + i % d]
                * in.get(1).values()[i]);
  }

  private static Tensor embeddingGradient(List<Tensor> in, TensorType table) {
    int d = size(table, 1);
    Tensor gradient = Tensor.zeros(table);
    for (int i = 0; i < in.get(0).count(); i++) {
      int row = (int) in.get(2).values()[i / d];
      gradient.values()[row * d + i % d] += in.get(0).values()[i] * in.get(1).values()[i];
    }
    return gradient;
  }

  /** Index in x of what element i of the shortcut's output reads, -1 for padding. */
  private static int shortcutFrom(int i, TensorType x, TensorType y, int stride) {
    int c = size(x, 3);
    int k = size(y, 3);
    int channel = i % k - (k - c) / 2;
    if (channel < 0 || channel >= c) {
      return -1;
    }
    int column = i / k % size(y, 2) * stride;
    int row = i / k / size(y, 2) % size(y, 1) * stride;
    int n = i / k / size(y, 2) / size(y, 1);
    return ((n * size(x, 1) + row) * size(x, 2) + column) * c + channel;
  }

  private static Tensor shortcut(Pooling.Shortcut op, Tensor x, TensorType type) {
    return map(
        type,
        i -> {
          int from = shortcutFrom(i, x.type(), type, op.stride());
          return from < 0 ? 0 : x.values()[from];
        });
  }

  private static Tensor shortcutGradient(Pooling.ShortcutGrad op, Tensor dy) {
    Tensor dx = Tensor.zeros(op.x());
    for (int i = 0; i < dy.count(); i++) {
      int from = shortcutFrom(i, op.x(), dy.type(), op.stride());
      if (from >= 0) {
        dx.values()[from] += dy.values()[i];
      }
    }
    return dx;
  }

  // ---- element-wise with something repeated ----

  /** What element i of the first input meets in the second: its own place, or its channel's. */
  private static double repeated(List<Tensor> in, int i) {
    Tensor a = in.get(0);
    Tensor b = in.get(1);
    if (a.type().equals(b.type())) {
      return b.values()[i];
    }
    int c = a.size(3);
    return b.values()[i / (a.size(1) * a.size(2) * c) * c + i % c];
  }

  private static Tensor pixelSum(List<Tensor> in, TensorType type) {
    Tensor x = in.getFirst();
    int c = x.size(3);
    int area = x.size(1) * x.size(2);
    Tensor sums = Tensor.zeros(type);
    for (int i = 0; i < x.count(); i++) {
      double factor = in.size() == 2 ? in.get(1).values()[i] : 1;
      sums.values()[i / (area * c) * c + i % c] += x.values()[i] * factor;
    }
    return sums;
  }

  private static Tensor prelu(List<Tensor> in, TensorType type) {
    double[] slope = in.get(1).values();
    return map(
        type,
        i -> {
          double x = in.get(0).values()[i];
          return x > 0 ? x : slope[i % slope.length] * x;
        });
  }

  private static List<Tensor> preluGradient(List<Tensor> in, List<TensorType> types) {
    double[] slope = in.get(2).values();
    Tensor dx = Tensor.zeros(types.get(Elementwise.PReluGrad.DX));
    Tensor dslope = Tensor.zeros(types.get(Elementwise.PReluGrad.DSLOPE));
    for (int i = 0; i < dx.count(); i++) {
      double dy = in.get(0).values()[i];
      double x = in.get(1).values()[i];
      dx.values()[i] = x > 0 ? dy : slope[i % slope.length] * dy;
      dslope.values()[i % slope.length] += x > 0 ? 0 : dy * x;
    }
    return List.of(dx, dslope);
  }

  // ---- activations ----

  private static double activated(ActivationFunction function, double x) {
    return switch (function.kind()) {
      case RELU -> Math.min(x > 0 ? x : function.slope() * x, function.ceiling());
      case HARD_SIGMOID -> Math.min(Math.max(x + 3, 0), 6) / 6;
      case HARD_SWISH -> x * Math.min(Math.max(x + 3, 0), 6) / 6;
      case SIGMOID -> sigmoid(x);
      case SILU -> x * sigmoid(x);
      case GELU -> x * normalCdf(x);
      case MISH -> x * Math.tanh(Math.log1p(Math.exp(x)));
    };
  }

  private static double slope(ActivationFunction function, double x) {
    return switch (function.kind()) {
      case RELU -> x > 0 && x < function.ceiling() ? 1 : function.slope();
      case HARD_SIGMOID -> Math.abs(x) < 3 ? 1. / 6 : 0;
      case HARD_SWISH -> x >= 3 ? 1 : x <= -3 ? 0 : (2 * x + 3) / 6;
      case SIGMOID -> sigmoid(x) * sigmoid(-x);
      case SILU -> sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
      case GELU -> normalCdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
      case MISH -> {
        double tanh = Math.tanh(Math.log1p(Math.exp(x)));
        yield tanh + x * (1 - tanh * tanh) * sigmoid(x);
      }
    };
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** By a series whose terms are all positive, from 0 on. */
  private static double normalCdf(double x) {
    if (Math.abs(x) > 9) {
      return x > 0 ? 1 : 0;
    }
    double sum = 0;
    double term = x;
    for (int i = 1; Math.abs(term) > 1e-18 * Math.abs(sum); i++) {
      sum += term;
      term *= x * x / (2 * i + 1);
    }
    return .5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  // ---- losses ----

  /** Natural logarithms of the softmax of one row, after division by a temperature. */
  static double[] logSoftmax(double[] values, int start, int count, double temperature) {
    double[] result = new double[count];
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      result[i] = values[start + i] / temperature;
      max = Math.max(max, result[i]);
    }
    double sum = 0;
    for (double value : result) {
      sum += Math.exp(value - max);
    }
    for (int i = 0; i < count; i++) {
      result[i] -= max + Math.log(sum);
    }
    return result;
  }

  private static List<Tensor> hardCrossEntropy(
      Loss.HardCrossEntropy op, List<Tensor> in, List<TensorType> types) {
    int n = in.getFirst().size(0);
    int k = in.getFirst().size(1);
    double beta = op.beta();
    double gamma = op.gamma();
    double loss = 0;
    Tensor gradient = Tensor.zeros(types.get(1));
    Tensor difficulty = Tensor.zeros(types.get(2));
    for (int row = 0; row < n; row++) {
      int label = (int) in.get(1).values()[row];
      if (label < 0 || label >= k) {
        loss = Double.NaN;
        Arrays.fill(gradient.values(), row * k, row * k + k, Double.NaN);
        difficulty.values()[row] = Double.NaN;
        continue;
      }
      double[] logs = logSoftmax(in.getFirst().values(), row * k, k, 1);
      double d = 0;
      for (int j = 0; j < k; j++) {
        d += j == label ? 0 : Math.exp(logs[j]);
      }
      double p = Math.exp(logs[label]);
      // The logarithm of p loses everything where p rounds to 1; that of 1 - d does not.
      double c = d < 0.5 ? -Math.log1p(-d) : -logs[label];
      difficulty.values()[row] = d;
      loss += beta / n * Math.pow(d, gamma) * c;
      double slope =
          -Math.pow(d, gamma) - (gamma == 0 ? 0 : gamma * Math.pow(d, gamma - 1) * p * c);
      for (int j = 0; j < k; j++) {
        double own = j == label ? d : -Math.exp(logs[j]);
        gradient.values()[row * k + j] = d == 0 ? 0 : beta / n * slope * own;
      }
    }
    return List.of(Tensor.of(types.getFirst(), loss), gradient, difficulty);
  }

  private static List<Tensor> distillation(
      Loss.DistillKl op, List<Tensor> in, List<TensorType> types) {
    int n = in.getFirst().size(0);
    int k = in.getFirst().size(1);
    double temperature = op.temperature();
    double alpha = op.alpha();
    double loss = 0;
    Tensor dstudent = Tensor.zeros(types.get(1));
    Tensor dteacher = Tensor.zeros(types.get(2));
    for (int row = 0; row < n; row++) {
      double[] a = logSoftmax(in.get(0).values(), row * k, k, temperature);
      double[] b = logSoftmax(in.get(1).values(), row * k, k, temperature);
      double divergence = 0;
      for (int j = 0; j < k; j++) {
        divergence += Math.exp(b[j]) * (b[j] - a[j]);
      }
      loss += alpha * temperature * temperature / n * divergence;
      for (int j = 0; j < k; j++) {
        double factor = alpha * temperature / n;
        dstudent.values()[row * k + j] = factor * (Math.exp(a[j]) - Math.exp(b[j]));
        dteacher.values()[row * k + j] = factor * Math.exp(b[j]) * (b[j] - a[j] - divergence);
      }
    }
    return List.of(Tensor.of(types.getFirst(), loss), dstudent, dteacher);
  }

  private static List<Tensor> featureAlignment(
      Loss.FeatureAlign op, List<Tensor> in, List<TensorType> types) {
    int n = in.getFirst().size(0);
    int c = in.getFirst().size(1);
    double loss = op.accumulates() ? in.get(2).values()[0] : 0;
    Tensor[] gradients = {Tensor.zeros(types.get(1)), Tensor.zeros(types.get(2))};
    for (int row = 0; row < n; row++) {
      double[][] unit = new double[2][];
      double[] length = new double[2];
      for (int side = 0; side < 2; side++) {
        double[] v = Arrays.copyOfRange(in.get(side).values(), row * c, row * c + c);
        length[side] = Math.max(Math.sqrt(Arrays.stream(v).map(x -> x * x).sum()), 1e-12);
        double divisor = length[side];
        unit[side] = Arrays.stream(v).map(x -> x / divisor).toArray();
      }
      double[] g = new double[c];
      for (int i = 0; i < c; i++) {
        double difference = unit[0][i] - unit[1][i];
        loss += op.lambda() * difference * difference / ((double) n * c);
        g[i] = 2 * op.lambda() * difference / ((double) n * c);
      }
      for (int side = 0; side < 2; side++) {
        double sign = side == 0 ? 1 : -1;
        double dot = 0;
        for (int i = 0; i < c; i++) {
          dot += unit[side][i] * sign * g[i];
        }
        for (int i = 0; i < c; i++) {
          gradients[side].values()[row * c + i] =
              2.0 / op.area() * (sign * g[i] - unit[side][i] * dot) / length[side];
        }
      }
    }
    return List.of(Tensor.of(types.getFirst(), loss), gradients[0], gradients[1]);
  }

  // ---- random numbers and samples ----

  private static Philox philox(Tensor key, int draw) {
    return new Philox((long) key.values()[0], (long) key.values()[1], draw);
  }

  private static Tensor normal(Random.PhiloxNormal op, Tensor key) {
    Philox philox = philox(key, op.draw());
    return map(
        op.type(),
        i -> {
          long[] words = philox.block(i / 4);
          int pair = i % 4 / 2 * 2;
          double radius = Math.sqrt(-2 * Math.log(Philox.uniform(words[pair])));
          double angle = 2 * Math.PI * Philox.uniform(words[pair + 1]);
          return radius * (i % 2 == 0 ? Math.cos(angle) : Math.sin(angle));
        });
  }

  private static Tensor randomLabels(Random.PhiloxLabels op, Tensor key) {
    Philox philox = philox(key, op.draw());
    return map(
        TensorType.i32(op.count()), i -> Philox.below(philox.block(i / 4)[i % 4], op.classes()));
  }

  private static Tensor boxes(Random.Boxes op, List<Tensor> in, TensorType type) {
    Philox philox = philox(in.getFirst(), op.draw());
    int n = Math.toIntExact(op.count());
    long step = (long) in.getFirst().values()[1];
    Tensor images = in.get(1);
    Tensor boxes = Tensor.zeros(type);
    for (int i = 0; i < n; i++) {
      long[] choice = philox.block(48L * i + 40);
      long image = Philox.below(choice[1], images.size(0));
      if (in.size() == 3) {
        image = (long) in.get(2).values()[(int) ((step * n + i) % in.get(2).count())];
      }
      boolean flips =
          switch (op.augmentation()) {
            case Random.Augmentation.ResizedCrop _ -> true;
            case Random.Augmentation.Shift shift -> shift.flip();
          };
      long[] place =
          switch (op.augmentation()) {
            case Random.Augmentation.ResizedCrop crop ->
                resizedCrop(philox, i, crop, images.size(1), images.size(2));
            case Random.Augmentation.Shift shift -> {
              long[] words = philox.block(48L * i);
              yield new long[] {
                Philox.below(words[0], 2L * shift.pad() + 1) - shift.pad(),
                Philox.below(words[1], 2L * shift.pad() + 1) - shift.pad(),
                images.size(1),
                images.size(2)
              };
            }
          };
      boxes.values()[6 * i] = image;
      for (int k = 0; k < 4; k++) {
        boxes.values()[6 * i + 1 + k] = place[k];
      }
      boxes.values()[6 * i + 5] = flips ? choice[0] >>> 31 : 0;
    }
    return boxes;
  }

  /** {top, left, height, width} by torchvision's rule. */
  private static long[] resizedCrop(
      Philox philox, int sample, Random.Augmentation.ResizedCrop crop, int height, int width) {
    double scaleMin = crop.scaleMin();
    double logMin = Math.log(crop.ratioMin());
    for (int attempt = 0; attempt < 10; attempt++) {
      long[] words = philox.block(48L * sample + 4L * attempt);
      double area =
          (scaleMin + (crop.scaleMax() - scaleMin) * Philox.uniform(words[0])) * height * width;
      double aspect =
          Math.exp(logMin + (Math.log(crop.ratioMax()) - logMin) * Philox.uniform(words[1]));
      long w = (long) Math.rint(Math.sqrt(area * aspect));
      long h = (long) Math.rint(Math.sqrt(area / aspect));
      if (w >= 1 && w <= width && h >= 1 && h <= height) {
        return new long[] {
          Philox.below(words[2], height - h + 1), Philox.below(words[3], width - w + 1), h, w
        };
      }
    }
    double aspect = (double) width / height;
    long w = width;
    long h = height;
    if (aspect < crop.ratioMin()) {
      h = (long) Math.rint(w / (double) crop.ratioMin());
    } else if (aspect > crop.ratioMax()) {
      w = (long) Math.rint(h * (double) crop.ratioMax());
    }
    return new long[] {(height - h) / 2, (width - w) / 2, h, w};
  }

  /** Hears that an output pixel reads a share of an image's pixel, both without the channel. */
  private interface Read {
    void at(int output, int row, int column, double share);
  }

  /** Bilinear reads of one output image from a box, pixel centres at halves, clamped to the box. */
  private static void reads(double[] box, int start, int outHeight, int outWidth, Read read) {
    int h = (int) box[start + 3];
    int w = (int) box[start + 4];
    for (int i = 0; i < outHeight; i++) {
      for (int j = 0; j < outWidth; j++) {
        int column = box[start + 5] != 0 ? outWidth - 1 - j : j;
        double y = Math.max(0, (i + 0.5) * h / outHeight - 0.5);
        double x = Math.max(0, (column + 0.5) * w / outWidth - 0.5);
        int y0 = (int) y;
        int x0 = (int) x;
        int y1 = Math.min(y0 + 1, h - 1);
        int x1 = Math.min(x0 + 1, w - 1);
        int top = (int) box[start + 1];
        int left = (int) box[start + 2];
        int output = i * outWidth + j;
        read.at(output, top + y0, left + x0, (1 - (y - y0)) * (1 - (x - x0)));
        read.at(output, top + y0, left + x1, (1 - (y - y0)) * (x - x0));
        read.at(output, top + y1, left + x0, (y - y0) * (1 - (x - x0)));
        read.at(output, top + y1, left + x1, (y - y0) * (x - x0));
      }
    }
  }

  private static Tensor crop(List<Tensor> in, TensorType type) {
    Tensor images = in.getFirst();
    int h = images.size(1);
    int w = images.size(2);
    int c = images.size(3);
    Tensor y = Tensor.zeros(type);
    int pixels = size(type, 1) * size(type, 2);
    for (int n = 0; n < size(type, 0); n++) {
      double[] boxes = in.get(1).values();
      int image = (int) boxes[6 * n];
      if (image < 0 || image >= images.size(0) || boxes[6 * n + 3] < 1 || boxes[6 * n + 4] < 1) {
        Arrays.fill(y.values(), n * pixels * c, (n + 1) * pixels * c, Double.NaN);
        continue;
      }
      int start = n * pixels;
      reads(
          boxes,
          6 * n,
          size(type, 1),
          size(type, 2),
          (output, row, column, share) -> {
            if (row >= 0 && row < h && column >= 0 && column < w) {
              for (int k = 0; k < c; k++) {
                y.values()[(start + output) * c + k] +=
                    share * images.values()[((image * h + row) * w + column) * c + k];
              }
            }
          });
    }
    return y;
  }

  private static Tensor cropGradient(List<Tensor> in, TensorType images) {
    Tensor dy = in.getFirst();
    int h = size(images, 1);
    int w = size(images, 2);
    int c = size(images, 3);
    Tensor gradient = Tensor.zeros(images);
    for (int n = 0; n < size(images, 0); n++) {
      int image = n;
      int start = n * dy.size(1) * dy.size(2);
      reads(
          in.get(1).values(),
          6 * n,
          dy.size(1),
          dy.size(2),
          (output, row, column, share) -> {
            if (row >= 0 && row < h && column >= 0 && column < w) {
              for (int k = 0; k < c; k++) {
                gradient.values()[((image * h + row) * w + column) * c + k] +=
                    share * dy.values()[(start + output) * c + k];
              }
            }
          });
    }
    return gradient;
  }

  // ---- optimiser steps ----

  private static List<Tensor> adam(Optimizer.AdamStep op, List<Tensor> in) {
    double b1 = op.beta1();
    double b2 = op.beta2();
    double lr = in.get(4).values()[0];
    double t = in.get(5).values()[0] + 1;
    double[] g = in.get(3).values();
    Tensor m = map(in.get(1).type(), i -> b1 * in.get(1).values()[i] + (1 - b1) * g[i]);
    Tensor v = map(in.get(2).type(), i -> b2 * in.get(2).values()[i] + (1 - b2) * g[i] * g[i]);
    Tensor p =
        map(
            in.get(0).type(),
            i -> {
              double root = Math.sqrt(v.values()[i]) / Math.sqrt(1 - Math.pow(b2, t));
              double step = lr / (1 - Math.pow(b1, t)) * m.values()[i] / (root + op.epsilon());
              return in.get(0).values()[i] - step;
            });
    return List.of(p, m, v, in.get(3), in.get(4), in.get(5));
  }

  private static List<Tensor> sgd(Optimizer.SgdStep op, List<Tensor> in) {
    double[] p = in.get(0).values();
    double lr = in.get(3).values()[0];
    double[] rates = in.size() == 5 ? in.get(4).values() : null;
    double[] d = new double[p.length];
    Arrays.setAll(d, i -> in.get(2).values()[i] + (double) op.decay() * p[i]);
    Tensor buffer = map(in.get(1).type(), i -> op.momentum() * in.get(1).values()[i] + d[i]);
    Tensor next =
        map(
            in.get(0).type(),
            i -> {
              double moved = op.momentum() * buffer.values()[i] + d[i];
              double rate = rates == null ? lr : lr * rates[i];
              return p[i] - rate * (op.nesterov() ? moved : buffer.values()[i]);
            });
    List<Tensor> after = new ArrayList<>(in);
    after.set(0, next);
    after.set(1, buffer);
    return after;
  }

  private static List<Tensor> keepBest(List<Tensor> in) {
    boolean better = in.get(4).values()[0] < in.get(1).values()[0];
    List<Tensor> after = new ArrayList<>(in);
    for (int kept = 0; better && kept < 3; kept++) {
      after.set(kept, in.get(kept + 3));
    }
    return after;
  }

  private static List<Tensor> sampleStep(Optimizer.SampleStep op, List<Tensor> in) {
    Tensor state = in.get(3);
    Tensor completed = in.get(4);
    Tensor loss = in.get(6);
    List<Tensor> moved =
        adam(
            new Optimizer.AdamStep(op.beta1(), op.beta2(), op.epsilon()),
            List.of(in.get(0), in.get(1), in.get(2), in.get(5), state, completed));
    return List.of(
        moved.get(0),
        moved.get(1),
        moved.get(2),
        plateau(op, state, loss.values()[0]),
        map(completed.type(), i -> completed.values()[i] + 1),
        in.get(5),
        loss);
  }

  private static Tensor plateau(Optimizer.SampleStep op, Tensor before, double loss) {
    Tensor state = before.copy();
    double[] s = state.values();
    if (loss < s[1] * (1 - (double) op.threshold())) {
      s[1] = loss;
      s[2] = 0;
    } else {
      s[2]++;
    }
    if (s[2] > op.patience()) {
      double next = Math.max(s[0] * op.factor(), op.minLr());
      if (s[0] - next > op.lrEpsilon()) {
        s[0] = next;
      }
      s[2] = 0;
    }
    return state;
  }

  private static int size(TensorType type, int dimension) {
    return Math.toIntExact(type.shape().size(dimension));
  }

  /** Whether an output is compared bit for bit. */
  public static boolean exact(Op op) {
    return op instanceof Quantization.FakeQuant || op instanceof Quantization.FakeQuantChannel;
  }

  /** Whether a type holds integers, which have no rounding. */
  public static boolean integer(TensorType type) {
    return type.dtype() != DType.F32 && type.dtype() != DType.F64;
  }
}

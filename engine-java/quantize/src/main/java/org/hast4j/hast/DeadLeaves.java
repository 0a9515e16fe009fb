package org.hast4j.hast;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;

/**
 * Images of overlapping leaves, discs and rectangles of all sizes in random colors (the dead-leaves
 * model; Lee, Mumford and Huang 2001): like photographs they have edges, even areas and the same
 * look at every scale, and no data are needed for them. Sides scatter as 1 / r^3; brightness and
 * colors as wide as photographs'.
 */
final class DeadLeaves {
  /** Leaves are drawn on a grid this much finer than the pixels. */
  private static final int FINER = 2;

  /** Cover an image about twice; a background lies below. */
  private static final double LEAVES_PER_PIXEL = 400 / 1024.0;

  private static final double LEAST_RADIUS = 1;
  private static final double LARGEST_RADIUS = .6;

  private final RandomGenerator random;
  private final int height;
  private final int width;
  private final int channels;
  private final float[] grid;

  private DeadLeaves(Model model, long seed) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    height = model.input().height();
    width = model.input().width();
    channels = model.input().channels();
    grid = new float[height * FINER * width * FINER * channels];
  }

  /**
   * Images as a network takes them: drawn in pixels from 0 to 1, then normalised.
   *
   * @return [count, h, w, c], a function of the seed
   */
  static float[] images(Model model, Normalization normalization, int count, long seed) {
    DeadLeaves leaves = new DeadLeaves(model, seed);
    int size = model.input().size();
    float[] images = new float[count * size];
    for (int i = 0; i < count; i++) {
      leaves.draw();
      leaves.sample(normalization, images, i * size);
    }
    return images;
  }

  private void draw() {
    double light = .47 + .13 * random.nextGaussian();
    Arrays.fill(grid, 0);
    leaf(light, Double.POSITIVE_INFINITY);
    double least = 1 / (LEAST_RADIUS * LEAST_RADIUS);
    double largest = LARGEST_RADIUS * FINER * Math.min(height, width);
    int leaves = (int) (LEAVES_PER_PIXEL * height * width);
    for (int i = 0; i < leaves; i++) {
      double share = random.nextDouble();
      double radius = 1 / Math.sqrt(least * (1 - share) + share / (largest * largest));
      leaf(light, radius);
    }
  }

  /** Draws one leaf above all others; one of infinite radius is the background. */
  private void leaf(double light, double radius) {
    int rows = height * FINER;
    int columns = width * FINER;
    double centerX = random.nextDouble() * columns;
    double centerY = random.nextDouble() * rows;
    double stretch = StrictMath.exp(.4 * random.nextGaussian());
    double angle = Math.PI * random.nextDouble();
    double cos = StrictMath.cos(angle);
    double sin = StrictMath.sin(angle);
    boolean rectangle = random.nextBoolean();
    double[] color = new double[channels];
    double gray = light + .22 * random.nextGaussian();
    for (int c = 0; c < channels; c++) {
      color[c] = gray + .07 * random.nextGaussian();
    }
    double slopeX = .1 * random.nextGaussian() / columns;
    double slopeY = .1 * random.nextGaussian() / rows;
    double reach = 1.5 * radius * Math.max(stretch, 1 / stretch);
    int top = (int) Math.max(0, centerY - reach);
    int bottom = (int) Math.min(rows - 1, centerY + reach);
    int left = (int) Math.max(0, centerX - reach);
    int right = (int) Math.min(columns - 1, centerX + reach);
    for (int y = top; y <= bottom; y++) {
      for (int x = left; x <= right; x++) {
        double dx = x - centerX;
        double dy = y - centerY;
        double along = (dx * cos + dy * sin) / stretch;
        double across = (dy * cos - dx * sin) * stretch;
        boolean inside =
            rectangle
                ? Math.max(Math.abs(along), Math.abs(across)) < radius
                : along * along + across * across < radius * radius;
        if (inside) {
          double shade = slopeX * dx + slopeY * dy;
          for (int c = 0; c < channels; c++) {
            grid[(y * columns + x) * channels + c] = (float) (color[c] + shade);
          }
        }
      }
    }
  }

  /** Averages the grid into pixels. */
  private void sample(Normalization normalization, float[] images, int offset) {
    float[] mean = normalization.mean();
    float[] std = normalization.std();
    int to = offset;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        for (int c = 0; c < channels; c++) {
          float sum = 0;
          for (int i = 0; i < FINER * FINER; i++) {
            int row = y * FINER + i / FINER;
            int column = x * FINER + i % FINER;
            sum += grid[(row * width * FINER + column) * channels + c];
          }
          float pixel = Math.clamp(sum / (FINER * FINER), 0, 1);
          images[to++] = (pixel - mean[c]) / std[c];
        }
      }
    }
  }
}

package org.hast4j.hast;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;

/**
 * What the optimiser of synthesis does to the images, iteration by iteration: the signals that show
 * whether it is about to explode. Reading them makes the device wait, so only a run that diagnoses
 * itself does.
 */
final class SynthesisDiagnosis {
  private static final double LOW = .01;

  private final Memory memory;
  private final Storage pixels;
  private final Storage secondMoment;
  private final float beta2;
  private float[] before;

  SynthesisDiagnosis(Memory memory, Storage pixels, Storage secondMoment, float beta2) {
    this.memory = memory;
    this.pixels = pixels;
    this.secondMoment = secondMoment;
    this.beta2 = beta2;
    before = memory.floats(pixels);
  }

  /**
   * Signals of the iteration that has just run: mean and 1st percentile of Adam's √v̂, root mean
   * square of the step, largest pixel.
   *
   * @param iteration counted from 1
   */
  Map<String, Object> signals(int iteration) {
    float[] now = memory.floats(pixels);
    float[] moment = memory.floats(secondMoment);
    double correction = 1 / (1 - Math.pow(beta2, iteration));
    double squares = 0;
    double roots = 0;
    float largest = 0;
    for (int i = 0; i < now.length; i++) {
      double step = now[i] - before[i];
      squares += step * step;
      roots += Math.sqrt(moment[i] * correction);
      largest = Math.max(largest, Math.abs(now[i]));
    }
    Arrays.sort(moment);
    Map<String, Object> signals = new LinkedHashMap<>();
    signals.put("root_second_moment", roots / now.length);
    signals.put(
        "root_second_moment_low", Math.sqrt(moment[(int) (LOW * moment.length)] * correction));
    signals.put("step", Math.sqrt(squares / now.length));
    signals.put("largest_pixel", largest);
    before = now;
    return signals;
  }
}

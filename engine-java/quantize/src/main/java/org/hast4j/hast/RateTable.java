package org.hast4j.hast;

import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;

/**
 * Learning rates that lie on the device, one for each epoch: handing one over from the host would
 * make it wait for the device.
 */
final class RateTable {
  private final Memory memory;
  private final Storage rates;
  private final Storage current;
  private final int epochSteps;
  private final int epochs;
  private float factor = 1;
  private final float[] values;
  private long epoch = -1;

  /**
   * @param values one for each epoch; the last also for all after it
   * @param current where the steps read the rate, at its first element
   * @param epochSteps steps of an epoch
   */
  RateTable(Memory memory, String name, float[] values, Storage current, int epochSteps) {
    this.memory = memory;
    this.current = current;
    this.epochSteps = epochSteps;
    this.values = values.clone();
    epochs = values.length;
    rates = Storage.of(name, TensorType.f32(epochs));
    memory.buffer(rates).upload(0, values);
  }

  /** Makes the rate of a step, counted from 0, the current one. */
  void at(long step) {
    long now = Math.min(step / epochSteps, epochs - 1);
    if (now != epoch) {
      memory.copy(rates, now * Float.BYTES, current, 0, Float.BYTES);
      epoch = now;
    }
  }

  /** Multiplies all rates from here on, in terms of what they first were. */
  void scale(float factor) {
    if (factor == this.factor) {
      return;
    }
    this.factor = factor;
    float[] scaled = new float[epochs];
    for (int i = 0; i < epochs; i++) {
      scaled[i] = values[i] * factor;
    }
    memory.buffer(rates).upload(0, scaled);
    epoch = -1;
  }

  /** The rate of a step, counted from 0. */
  float rate(long step) {
    return values[(int) Math.min(step / epochSteps, epochs - 1)] * factor;
  }

  /** Has the current rate put in place again, after someone else wrote there. */
  void forget() {
    epoch = -1;
  }

  /** Gives back the device's table. */
  void free() {
    memory.free(rates);
  }
}

package org.hast4j.hast;

import java.util.Map;

/** Hears what a run does, on the run's thread. */
public interface Listener {
  /**
   * One more unit of a stage is done: an iteration of synthesis or calibration, or a fine-tuning
   * step.
   */
  void progress(Stage stage, long done, long total);

  /** A line of metrics, as it goes into the run's metrics file. */
  void metrics(Map<String, Object> line);

  /** Whether the run should write a checkpoint and stop, with a {@link StoppedException}. */
  default boolean stopping() {
    return false;
  }
}

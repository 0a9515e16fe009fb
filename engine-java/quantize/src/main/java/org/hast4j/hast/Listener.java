package org.hast4j.hast;

/** Hears what a quantisation does, on its thread. */
public interface Listener {
  /**
   * One more unit of a stage is done: an iteration of synthesis or calibration, or a fine-tuning
   * step.
   */
  default void progress(Stage stage, long done, long total) {}

  /** Something happened. */
  default void event(Event event) {}

  /**
   * Whether to stop, with a {@link StoppedException}; a run in a folder writes a checkpoint first.
   */
  default boolean stopping() {
    return false;
  }
}

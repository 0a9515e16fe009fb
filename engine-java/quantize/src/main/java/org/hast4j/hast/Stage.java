package org.hast4j.hast;

/** The stages of a run, in order. */
public enum Stage {
  SYNTHESIS,
  CALIBRATION,
  FINE_TUNING,
  DONE
}

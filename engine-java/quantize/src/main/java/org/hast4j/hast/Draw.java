package org.hast4j.hast;

/** Tells the random nodes of all programs apart; each is a Philox stream of its own. */
enum Draw {
  SYNTHESIS_IMAGES,
  SYNTHESIS_LABELS,
  SYNTHESIS_CROPS,
  CALIBRATION_NOISE,
  CALIBRATION_LABELS,
  CALIBRATION_CROPS,
  FINE_TUNING_CROPS,
  TRAINING_SHIFTS,
  LOOK_CROPS;

  int id() {
    return ordinal();
  }
}

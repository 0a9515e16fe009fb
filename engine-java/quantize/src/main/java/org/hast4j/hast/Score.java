package org.hast4j.hast;

import java.util.Optional;

/**
 * How good a student is.
 *
 * @param accuracy on the test images; empty where there are none
 * @param agreement share of (at most 1024 of) the data set's images that it classifies as the
 *     teacher does, percent
 */
public record Score(Optional<Accuracy> accuracy, double agreement) {}

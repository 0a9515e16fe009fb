package org.hast4j.hast;

import org.hast4j.nn.Network;

/**
 * What a run does.
 *
 * @param teacher the trained network
 * @param sourceSha256 of its file
 * @param weightBits 2 to 8
 * @param activationBits 2 to 8
 * @param images where the images come from
 * @param seed decides every random number
 */
public record Job(
    Network teacher,
    String sourceSha256,
    int weightBits,
    int activationBits,
    Recipe recipe,
    Images images,
    long seed) {}

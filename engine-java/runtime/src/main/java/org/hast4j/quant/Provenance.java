package org.hast4j.quant;

/**
 * Where a quantised network comes from.
 *
 * @param sourceSha256 of the float network's file
 * @param recipe in full, HOCON
 * @param seed of the run
 */
public record Provenance(String sourceSha256, String recipe, long seed) {}

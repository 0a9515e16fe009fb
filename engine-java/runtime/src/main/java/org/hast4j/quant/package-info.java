/**
 * Quantised networks as values and files: integer levels packed at their bit width, scales, ranges.
 */
package org.hast4j.quant;

package org.hast4j.bench;

/**
 * A kernel bound by memory, with its operands in place.
 *
 * @param bytes that one launch must move: every operand once
 */
public record MemoryKernel(long bytes, Runnable launch) {}

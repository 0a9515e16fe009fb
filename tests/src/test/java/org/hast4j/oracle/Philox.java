package org.hast4j.oracle;

/**
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
 * (2011), and the way random.h cuts it into draws.
 */
public final class Philox {
  private static final long MULTIPLIER_0 = 0xD2511F53L;
  private static final long MULTIPLIER_1 = 0xCD9E8D57L;
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final int ROUNDS = 10;
  private static final long WORD = 0xFFFFFFFFL;

  private final int[] key;
  private final int draw;
  private final long step;

  /** The random numbers of one node of a program at one step. */
  public Philox(long seed, long step, int draw) {
    this.key = new int[] {(int) seed, (int) (seed >>> 32)};
    this.draw = draw;
    this.step = step;
  }

  /** The four words, each in [0, 2^32), of a block. */
  public long[] block(long block) {
    int[] words = generate(new int[] {(int) block, draw, (int) step, (int) (step >>> 32)}, key);
    long[] unsigned = new long[4];
    for (int i = 0; i < 4; i++) {
      unsigned[i] = words[i] & WORD;
    }
    return unsigned;
  }

  /** The bijection itself: four counter words under two key words. */
  public static int[] generate(int[] counter, int[] key) {
    int c0 = counter[0];
    int c1 = counter[1];
    int c2 = counter[2];
    int c3 = counter[3];
    int k0 = key[0];
    int k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
      long p0 = MULTIPLIER_0 * (c0 & WORD);
      long p1 = MULTIPLIER_1 * (c2 & WORD);
      c0 = (int) (p1 >>> 32) ^ c1 ^ k0;
      c1 = (int) p1;
      c2 = (int) (p0 >>> 32) ^ c3 ^ k1;
      c3 = (int) p0;
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    return new int[] {c0, c1, c2, c3};
  }

  /** A word as a number strictly between 0 and 1. */
  public static double uniform(long word) {
    return (word + 0.5) * 0x1p-32;
  }

  /** A word as an integer in [0, limit). */
  public static long below(long word, long limit) {
    return (word * limit) >>> 32;
  }
}

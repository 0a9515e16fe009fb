package org.hast4j.model;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Names that a mistyped one may have meant. */
final class NearestNames {
  private static final int SHOWN = 3;

  private NearestNames() {}

  /** The few with the least edit distance, nearest first. */
  static List<String> of(String name, Collection<String> known) {
    return known.stream()
        .distinct()
        .sorted(Comparator.comparingInt(other -> distance(name, other)))
        .limit(SHOWN)
        .toList();
  }

  /** Characters to insert, delete or exchange (Levenshtein 1966). */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int exchanged = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(exchanged, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}

package org.hast4j.hast;

import org.hast4j.failure.Mendable;

/**
 * Numbers that became none; the message says which value of the recipe, or what file, to look at.
 */
public final class DivergedException extends IllegalStateException implements Mendable {
  private static final long serialVersionUID = 1L;

  DivergedException(String message) {
    super(message);
  }
}

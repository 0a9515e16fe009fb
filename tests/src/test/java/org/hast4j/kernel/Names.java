package org.hast4j.kernel;

import java.util.regex.Pattern;
import org.hast4j.kernel.abi.Abi;

/** How the binding spells what the headers declare. */
final class Names {
  private static final Pattern WORD = Pattern.compile("_(\\w)");

  private Names() {}

  /** A parameter's name. */
  static String inJava(String parameter) {
    return WORD.matcher(parameter).replaceAll(match -> match.group(1).toUpperCase());
  }

  /** A function's class. */
  static Class<?> classOf(String function) {
    String name = inJava("_" + function.replaceAll("^hast_|_f32$", ""));
    try {
      return Class.forName(Abi.class.getPackageName() + "." + name);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }
}

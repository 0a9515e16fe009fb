package org.hast4j.source.torch;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a pickle describes, besides None, which is null, numbers and texts, which are Java's, and
 * bytes, which are segments of the file. Containers compare by identity: they may hold themselves.
 */
sealed interface Pickled {
  /** A dictionary, ordered or not. */
  final class Dict implements Pickled {
    // Nothing until there is something: a file can have many empty ones.
    private Map<Object, Object> entries = Map.of();

    /**
     * Adds an entry whose key is None, a text or a number. Others are left out: nothing here asks
     * for them, and some would be slow to compare.
     */
    void put(Object key, Object value) {
      if (key != null && !(key instanceof String) && !(key instanceof Number)) {
        return;
      }
      if (entries.isEmpty()) {
        entries = new LinkedHashMap<>();
      }
      entries.put(key, value);
    }

    Object get(String key) {
      return entries.get(key);
    }

    boolean isEmpty() {
      return entries.isEmpty();
    }

    Map<Object, Object> entries() {
      return entries;
    }
  }

  /** A list, a tuple or a set. */
  final class Sequence implements Pickled {
    private final List<Object> items;

    Sequence(Collection<Object> items) {
      this.items = new ArrayList<>(items);
    }

    List<Object> items() {
      return items;
    }

    /** An item, or null where there are fewer. */
    Object item(int index) {
      return index < items.size() ? items.get(index) : null;
    }
  }

  /** The name of a class, function or constant. */
  final class Global implements Pickled {
    private final String module;
    private final String name;
    // Once, not at each of the calls, which take a few bytes of a file.
    private final String qualified;

    Global(String module, String name) {
      this.module = module;
      this.name = name;
      this.qualified = module + "." + name;
    }

    String module() {
      return module;
    }

    String name() {
      return name;
    }

    @Override
    public String toString() {
      return qualified;
    }
  }

  /** An object that was not built: what it would have been built from. */
  final class Opaque implements Pickled {
    private final Object type;
    private final Sequence arguments;
    private final Dict items = new Dict();
    private Object state;

    /**
     * @param type most often a {@link Global}
     */
    Opaque(Object type, Sequence arguments) {
      this.type = type;
      this.arguments = arguments;
    }

    Object type() {
      return type;
    }

    Sequence arguments() {
      return arguments;
    }

    /** What it holds where it is a kind of dictionary. */
    Dict items() {
      return items;
    }

    /** Its {@code __dict__}, or whatever it would have been given instead; null without. */
    Object state() {
      return state;
    }

    void setState(Object state) {
      this.state = state;
    }
  }

  /**
   * A part of the file's values that tensors look at, or all of them.
   *
   * @param key which of the file's storages
   * @param elements how many the whole storage has
   * @param start the element that the part begins with
   * @param length the elements of the part
   */
  record Storage(ElementType type, String key, long elements, long start, long length)
      implements Pickled {}

  /**
   * A tensor that lies within its storage.
   *
   * @param offset the element of the storage's part that it begins with
   * @param sizes outermost first; none for a scalar
   * @param strides in elements, not negative
   */
  record Tensor(ElementType type, Storage storage, long offset, long[] sizes, long[] strides)
      implements Pickled {
    long elements() {
      long elements = 1;
      for (long size : sizes) {
        elements *= size;
      }
      return elements;
    }

    boolean isContiguous() {
      long expected = 1;
      for (int d = sizes.length - 1; d >= 0; d--) {
        if (sizes[d] != 1 && strides[d] != expected) {
          return false;
        }
        expected *= sizes[d];
      }
      return true;
    }

    boolean isFloating() {
      return type.isFloating() && elements() > 0;
    }
  }
}

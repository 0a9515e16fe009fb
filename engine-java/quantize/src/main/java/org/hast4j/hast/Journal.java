package org.hast4j.hast;

import java.util.List;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;

/**
 * Where a quantisation notes how far it is, so that another process can go on. Nothing is noted
 * unless an implementation does.
 */
interface Journal {
  /** One that notes nothing. */
  Journal NONE = new Journal() {};

  /** Where the quantisation stands as it begins. */
  default Snapshot resumed() {
    return Snapshot.START;
  }

  /** Puts the memory back to what it was there. */
  default void restore(Memory memory, List<Storage> state) {}

  /** Puts the images back that were made before. */
  default void restoreImages(Memory memory, DataSet dataSet) {}

  /** All images are made. */
  default void images(Memory memory, DataSet dataSet) {}

  default void event(Event event) {}

  /** Whether a snapshot is due. */
  default boolean due() {
    return false;
  }

  /** Notes where the quantisation stands, with the memory it needs to go on. */
  default void save(Snapshot snapshot, Memory memory, List<Storage> state) {}
}

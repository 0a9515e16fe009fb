package org.hast4j.source.onnx;

import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Window;

/** What the attributes of a node say of its window. */
final class Windows {
  private static final int MAX_SIZE = 1 << 20;

  private final Window.Size kernel;
  private final int[] strides;
  private final int[] dilations;
  // Top, left, bottom, right, as ONNX has them.
  private final int[] pads;
  // How much of that reaches beyond what the node says, to make place for a last window.
  private final int[] more = new int[2];

  /**
   * @param sizes of what it moves over, [c, h, w]
   */
  Windows(Node node, Window.Size kernel, List<Long> sizes) {
    this.kernel = kernel;
    if (sizes.size() != 3) {
      throw new RefusedException(
          "reads features of %s, which are no [channels, height, width]".formatted(sizes));
    }
    node.wholes("kernel_shape")
        .ifPresent(
            given -> {
              if (given.length != 2 || !size(given[0], given[1]).equals(kernel)) {
                throw new RefusedException("has weights of another size than its kernel_shape");
              }
            });
    strides = integers("strides", node.wholes("strides"), 1, 2);
    dilations = integers("dilations", node.wholes("dilations"), 1, 2);
    pads = pads(node, sizes);
    if (node.flag("ceil_mode")) {
      for (int axis = 0; axis < 2; axis++) {
        ceil(axis, sizes.get(1 + axis));
      }
    }
  }

  static Window.Size size(long height, long width) {
    return new Window.Size(bounded("a height", height), bounded("a width", width));
  }

  private static int bounded(String what, long value) {
    if (value < 0 || value > MAX_SIZE) {
      throw new RefusedException("has %s of %d".formatted(what, value));
    }
    return (int) value;
  }

  private static int[] integers(String name, Optional<long[]> given, int usual, int count) {
    int[] values = new int[count];
    for (int i = 0; i < count; i++) {
      if (given.isPresent() && given.get().length != count) {
        throw new RefusedException(
            "has %d %s; known are images, which need %d"
                .formatted(given.get().length, name, count));
      }
      values[i] = given.isPresent() ? bounded(name, given.get()[i]) : usual;
      if (usual == 1 && values[i] < 1) {
        throw new RefusedException("has %s of 0".formatted(name));
      }
    }
    return values;
  }

  private int span(int axis) {
    int taps = axis == 0 ? kernel.height() : kernel.width();
    return Math.addExact(Math.multiplyExact(taps - 1, dilations[axis]), 1);
  }

  private int[] pads(Node node, List<Long> sizes) {
    String auto = node.text("auto_pad", "NOTSET");
    int[] given = integers("pads", node.wholes("pads"), 0, 4);
    switch (auto) {
      case "NOTSET", "" -> {
        return given;
      }
      case "VALID" -> {
        return new int[4];
      }
      case "SAME_UPPER", "SAME_LOWER" -> {
        int[] same = new int[4];
        for (int axis = 0; axis < 2; axis++) {
          long size = sizes.get(1 + axis);
          long outputs = Math.ceilDiv(size, strides[axis]);
          long total = Math.max((outputs - 1) * strides[axis] + span(axis) - size, 0);
          long before = auto.equals("SAME_UPPER") ? total / 2 : total - total / 2;
          same[axis] = bounded("pads", before);
          same[2 + axis] = bounded("pads", total - before);
        }
        return same;
      }
      default -> throw new RefusedException("has auto_pad %s".formatted(Names.quoted(auto)));
    }
  }

  /** Place for the last window, if it begins on the image. */
  private void ceil(int axis, long size) {
    long padded = size + pads[axis] + pads[2 + axis];
    long outputs = Math.ceilDiv(padded - span(axis), strides[axis]) + 1;
    if ((outputs - 1) * strides[axis] >= size + pads[axis]) {
      outputs--;
    }
    long missing = (outputs - 1) * strides[axis] + span(axis) - padded;
    if (missing > 0) {
      more[axis] = bounded("ceil_mode", missing);
    }
  }

  /** Whether the node itself pads nothing. */
  boolean isUnpadded() {
    return pads[0] == 0 && pads[1] == 0 && pads[2] == 0 && pads[3] == 0;
  }

  /** Whether it has windows that reach beyond the padded image. */
  boolean reachesBeyond() {
    return more[0] > 0 || more[1] > 0;
  }

  /** Whether it sees all of an image at once. */
  boolean covers(List<Long> sizes) {
    return isUnpadded()
        && !reachesBeyond()
        && kernel.height() == sizes.get(1)
        && kernel.width() == sizes.get(2)
        && dilations[0] == 1
        && dilations[1] == 1;
  }

  /** The window, with the padding of what it reads. */
  Window window(Optional<Operand.Padded> padded) {
    Window.Padding before =
        padded.map(Operand.Padded::padding).orElse(new Window.Padding(0, 0, 0, 0));
    return new Window(
        kernel,
        new Window.Size(strides[0], strides[1]),
        new Window.Padding(
            Math.addExact(pads[0], before.top()),
            Math.addExact(pads[1], before.left()),
            Math.addExact(pads[2] + more[0], before.bottom()),
            Math.addExact(pads[3] + more[1], before.right())),
        new Window.Size(dilations[0], dilations[1]));
  }

  static Optional<Operand.Padded> padded(Operand.Dynamic value) {
    return value instanceof Operand.Padded padded ? Optional.of(padded) : Optional.empty();
  }
}

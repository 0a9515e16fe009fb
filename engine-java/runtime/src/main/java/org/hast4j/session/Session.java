package org.hast4j.session;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.ReentrantLock;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.LogitsGraph;
import org.hast4j.kernel.abi.MemoryDownload;
import org.hast4j.kernel.abi.MemoryUpload;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;

/**
 * A {@link Classifier}'s work space for one image at a time. It may move between threads and has
 * one caller at a time; closing it is safe from any thread and waits for the call under way. A call
 * allocates nothing.
 *
 * <p>Pixels are unsigned bytes, row by row, the channels of a pixel beside each other (RGBRGB..),
 * as many as the classifier's {@linkplain Classifier#input() input} has; they are normalized as the
 * network was trained. Floats are normalized values in the same order.
 */
public final class Session implements AutoCloseable {
  private final Classifier classifier;
  private final OpenDevice device;
  private final Memory memory;
  private final Program program;
  private final MemoryUpload upload;
  private final MemoryDownload download;
  private final float[][] normalized;
  private final float[] image;
  private final float[] logits;
  private final ReentrantLock caller = new ReentrantLock();
  // Set before the call under way has ended, so that the next one hears of it.
  private volatile boolean closed;

  /** Takes over the device. */
  Session(
      Classifier classifier,
      OpenDevice device,
      Memory shared,
      LogitsGraph graph,
      Model model,
      Normalization normalization) {
    this.classifier = classifier;
    this.device = device;
    normalized = normalization.table();
    image = new float[model.input().size()];
    logits = new float[model.classes()];
    memory = new Memory(device, shared);
    try {
      program = Program.compile("session workspace", graph.graph(), memory);
      upload =
          new MemoryUpload(device.library())
              .device(memory.buffer(graph.images()).address(0, graph.images().bytes()))
              .host(MemorySegment.ofArray(image))
              .bytes(graph.images().bytes());
      download =
          new MemoryDownload(device.library())
              .host(MemorySegment.ofArray(logits))
              .device(memory.buffer(graph.logits()).address(0, graph.logits().bytes()))
              .bytes(graph.logits().bytes());
    } catch (RuntimeException e) {
      memory.close();
      device.close();
      throw e;
    }
  }

  /**
   * The class of an image: the index of its largest logit.
   *
   * @throws IllegalArgumentException if there are more or fewer pixels than an image has
   * @throws IllegalStateException if this is closed, or somebody else is in a call
   */
  public int classify(byte[] pixels) {
    enter();
    try {
      checkSize(pixels.length);
      for (int i = 0; i < image.length; i++) {
        put(i, pixels[i]);
      }
      return run();
    } finally {
      caller.unlock();
    }
  }

  /** Likewise, of the bytes between a buffer's position and limit, which stay. */
  public int classify(ByteBuffer pixels) {
    enter();
    try {
      checkSize(pixels.remaining());
      int start = pixels.position();
      for (int i = 0; i < image.length; i++) {
        put(i, pixels.get(start + i));
      }
      return run();
    } finally {
      caller.unlock();
    }
  }

  /** Likewise, of a segment's bytes. */
  public int classify(MemorySegment pixels) {
    enter();
    try {
      checkSize(pixels.byteSize());
      for (int i = 0; i < image.length; i++) {
        put(i, pixels.get(ValueLayout.JAVA_BYTE, i));
      }
      return run();
    } finally {
      caller.unlock();
    }
  }

  /**
   * Likewise, of normalized values.
   *
   * @throws IllegalArgumentException if they lead to logits that are no numbers, too
   */
  public int classify(float[] values) {
    enter();
    try {
      checkSize(values.length);
      System.arraycopy(values, 0, image, 0, image.length);
      return run();
    } finally {
      caller.unlock();
    }
  }

  /**
   * Copies the logits of the last image that was classified; zeros before the first.
   *
   * @param all [classes]
   */
  public void logits(float[] all) {
    enter();
    try {
      if (all.length != logits.length) {
        throw new IllegalArgumentException(
            "there are %d logits, got room for %d".formatted(logits.length, all.length));
      }
      System.arraycopy(logits, 0, all, 0, logits.length);
    } finally {
      caller.unlock();
    }
  }

  /**
   * The classes of the largest logits of the last image, the largest first; of two alike the lower
   * class.
   *
   * @param classes as many as are wanted, 1 up to all
   */
  public void best(int[] classes) {
    enter();
    try {
      if (classes.length < 1 || classes.length > logits.length) {
        throw new IllegalArgumentException(
            "there are %d classes, %d were asked for".formatted(logits.length, classes.length));
      }
      for (int i = 0; i < classes.length; i++) {
        int best = -1;
        for (int label = 0; label < logits.length; label++) {
          if ((best < 0 || logits[label] > logits[best])
              && (i == 0 || isBehind(label, classes[i - 1]))) {
            best = label;
          }
        }
        classes[i] = best;
      }
    } finally {
      caller.unlock();
    }
  }

  /** Whether a class comes after another in the order of {@link #best}. */
  private boolean isBehind(int label, int other) {
    return logits[label] < logits[other] || logits[label] == logits[other] && label > other;
  }

  /**
   * Classifies an image of zeros again and again, so that the virtual machine has compiled what the
   * first real image needs: some thousand calls.
   */
  public void warmUp(int calls) {
    byte[] pixels = new byte[image.length];
    for (int i = 0; i < calls; i++) {
      classify(pixels);
    }
  }

  /** Bytes of memory that are this session's alone. */
  public long bytes() {
    return device.ledger().bytes();
  }

  private void enter() {
    boolean alone = caller.tryLock();
    if (alone && !closed) {
      return;
    }
    if (alone) {
      caller.unlock();
    }
    throw new IllegalStateException(
        closed
            ? "the session is closed"
            : "another thread is using this session: open one for each thread");
  }

  private void checkSize(long values) {
    if (values != image.length) {
      Model.Input input = classifier.input();
      throw new IllegalArgumentException(
          "an image is %d values (%d rows of %d pixels of %d channels), got %d"
              .formatted(image.length, input.height(), input.width(), input.channels(), values));
    }
  }

  private void put(int i, byte pixel) {
    image[i] = normalized[i % normalized.length][Byte.toUnsignedInt(pixel)];
  }

  private int run() {
    long stream = device.stream();
    upload.launch(stream);
    program.run();
    download.launch(stream);
    int best = 0;
    for (int label = 0; label < logits.length; label++) {
      if (Float.isNaN(logits[label])) {
        throw new IllegalArgumentException(
            "the logit of class %d is no number: the values of the image have NaN or infinity among them"
                .formatted(label));
      }
      if (logits[label] > logits[best]) {
        best = label;
      }
    }
    return best;
  }

  @Override
  public void close() {
    classifier.close(this);
  }

  /** Waits for the call under way and gives everything back. */
  void end() {
    closed = true;
    caller.lock();
    try {
      memory.close();
      device.close();
    } finally {
      caller.unlock();
    }
  }
}

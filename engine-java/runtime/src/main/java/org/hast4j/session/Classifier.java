package org.hast4j.session;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.forward.LogitsGraph;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.io.Safetensors;
import org.hast4j.kernel.KernelException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.quant.QuantizedNetwork;

/**
 * A network as it classifies, on the CPU: its weights once, for as many {@linkplain #session()
 * sessions} as there are threads. Every method may be called from any thread. It computes in float,
 * a quantized network with the values its levels stand for.
 *
 * <pre>{@code
 * try (Classifier classifier = Classifier.load(Path.of("quantised.safetensors"));
 *     Session session = classifier.session()) {
 *   int label = session.classify(pixels);
 * }
 * }</pre>
 */
public final class Classifier implements AutoCloseable {
  private final Model model;
  private final Normalization normalization;
  private final Mode mode;
  private final Parameters parameters;
  private final OpenDevice device;
  private final Memory memory;
  // Held while sessions come and go, which all change the memory's list of programs.
  private final ReentrantLock sessionsChange = new ReentrantLock();
  private final List<Session> sessions = new ArrayList<>();
  private boolean closed;

  private Classifier(Network network, Optional<QuantizedNetwork> quantized) {
    model = network.model();
    normalization = network.normalization();
    parameters = new Parameters(model, "classifier");
    device = OpenDevice.cpuOfItsHolder(1);
    memory = new Memory(device);
    try {
      parameters.upload(memory, network);
      mode = quantized.map(this::quantizers).orElseGet(Mode.Evaluation::new);
    } catch (RuntimeException e) {
      memory.close();
      device.close();
      throw e;
    }
  }

  private Mode quantizers(QuantizedNetwork network) {
    QuantizationState quantization = QuantizationState.of(model, network.scheme());
    quantization.upload(memory, network.ranges());
    return new Mode.Quantized(quantization.quantizers());
  }

  /**
   * Reads a file that {@code quantize} wrote, or a full-precision network.
   *
   * @throws IllegalArgumentException if it is neither, or damaged: names the file, what is wrong
   *     and what to do
   * @throws KernelException if there is no CPU library for this machine
   */
  public static Classifier load(Path file) {
    Safetensors tensors = Safetensors.read(file);
    return QuantizedNetwork.isOne(tensors.metadata())
        ? of(QuantizedNetwork.read(tensors))
        : of(Checkpoint.read(tensors));
  }

  /** Of a quantized network. */
  public static Classifier of(QuantizedNetwork network) {
    return new Classifier(network.dequantized(), Optional.of(network));
  }

  /** Of a full-precision network. */
  public static Classifier of(Network network) {
    return new Classifier(network, Optional.empty());
  }

  /** Size of the images it takes: height, width and channels. */
  public Model.Input input() {
    return model.input();
  }

  /** Number of classes. */
  public int classes() {
    return model.classes();
  }

  /** Bytes of memory for the weights, which all sessions share. */
  public long bytes() {
    return device.ledger().bytes();
  }

  /** A session that computes in its caller's thread. */
  public Session session() {
    return session(1);
  }

  /**
   * A session of one image at a time.
   *
   * @param threads that work on it, the caller among them; no result depends on it
   * @throws IllegalStateException if this is closed
   */
  public Session session(int threads) {
    sessionsChange.lock();
    try {
      if (closed) {
        throw new IllegalStateException("the classifier is closed");
      }
      LogitsGraph graph = LogitsGraph.of("session", model, 1, mode, parameters::values);
      Session session =
          new Session(this, device.beside(threads), memory, graph, model, normalization);
      sessions.add(session);
      return session;
    } finally {
      sessionsChange.unlock();
    }
  }

  /** Ends a session, after the call that it may be in. */
  void close(Session session) {
    sessionsChange.lock();
    try {
      if (sessions.remove(session)) {
        session.end();
      }
    } finally {
      sessionsChange.unlock();
    }
  }

  /** Closes the sessions, each after the call that it may be in, and gives the weights back. */
  @Override
  public void close() {
    sessionsChange.lock();
    try {
      if (!closed) {
        closed = true;
        List.copyOf(sessions).forEach(this::close);
        memory.close();
        device.close();
      }
    } finally {
      sessionsChange.unlock();
    }
  }
}

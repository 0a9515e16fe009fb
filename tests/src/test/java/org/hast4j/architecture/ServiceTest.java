package org.hast4j.architecture;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.hast4j.hast.Networks;
import org.hast4j.nn.Checkpoint;
import org.hast4j.session.Classifier;
import org.hast4j.session.Session;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program of docs/service.md does what the page says. */
class ServiceTest {
  private static final int SIDE = 32;
  private static final int CLASSES = 7;

  @TempDir private Path scratch;
  private Path network;
  private URLClassLoader program;
  private AutoCloseable service;
  private URI address;
  private final HttpClient client =
      HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();

  @BeforeEach
  void start() throws Exception {
    network = scratch.resolve("network.safetensors");
    Checkpoint.write(
        network, Networks.of(CifarResNet.of(8, 4, CLASSES, CifarResNet.Shortcut.B), 1));
    Snippet.of(Path.of("../docs/service.md")).getFirst().compile(scratch.resolve("Service.java"));
    program = new URLClassLoader(new URL[] {scratch.toUri().toURL()});
    Class<?> main = program.loadClass("Service");
    service =
        (AutoCloseable)
            main.getConstructor(Path.class, int.class, int.class).newInstance(network, 0, 2);
    address = URI.create("http://localhost:" + main.getMethod("port").invoke(service));
  }

  @AfterEach
  void stop() throws Exception {
    service.close();
    program.close();
    client.close();
  }

  private HttpRequest post(byte[] body) {
    return HttpRequest.newBuilder(address.resolve("/classify"))
        .POST(BodyPublishers.ofByteArray(body))
        .build();
  }

  private HttpResponse<String> send(HttpRequest request) throws Exception {
    return client.send(request, BodyHandlers.ofString());
  }

  /** Noise around a colour, so that images are of several classes. */
  private static byte[] pixels(long seed, int side) {
    Random random = new Random(seed);
    int[] color = random.ints(3, 0, 256).toArray();
    byte[] pixels = new byte[3 * side * side];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) Math.clamp(color[i % 3] + random.nextInt(-60, 61), 0, 255);
    }
    return pixels;
  }

  private static byte[] png(byte[] pixels, int side) throws IOException {
    BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < side * side; i++) {
      int red = Byte.toUnsignedInt(pixels[3 * i]);
      int green = Byte.toUnsignedInt(pixels[3 * i + 1]);
      int blue = Byte.toUnsignedInt(pixels[3 * i + 2]);
      image.setRGB(i % side, i / side, red << 16 | green << 8 | blue);
    }
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    assertThat(ImageIO.write(image, "png", file)).isTrue();
    return file.toByteArray();
  }

  @Test
  void answersAtOnceToSeveralAsASessionDoes() throws Exception {
    List<CompletableFuture<HttpResponse<String>>> answers =
        IntStream.range(0, 16)
            .mapToObj(
                seed -> {
                  try {
                    byte[] image = png(pixels(seed, SIDE), SIDE);
                    return client.sendAsync(post(image), BodyHandlers.ofString());
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                })
            .toList();
    String expected;
    try (Classifier classifier = Classifier.load(network);
        Session session = classifier.session()) {
      int[] classes =
          IntStream.range(0, 16).map(seed -> session.classify(pixels(seed, SIDE))).toArray();
      assertThat(IntStream.of(classes).distinct().count()).isGreaterThan(1);
      expected = IntStream.of(classes).mapToObj(label -> "200 " + label).collect(joining("\n"));
    }
    assertThat(
            answers.stream()
                .map(CompletableFuture::join)
                .map(answer -> answer.statusCode() + " " + answer.body())
                .collect(joining("\n")))
        .isEqualTo(expected);
  }

  @Test
  void tellsWhatItCannotRead() throws Exception {
    byte[] whole = png(pixels(1, SIDE), SIDE);
    byte[] half = Arrays.copyOf(whole, whole.length / 2);
    for (byte[] bad : List.of(new byte[0], "no image".getBytes(), half, png(pixels(1, 33), 33))) {
      assertThat(send(post(bad)).statusCode()).isEqualTo(400);
    }
    assertThat(send(post(png(pixels(1, 33), 33))).body()).contains("32 x 32 pixels");
    assertThat(send(HttpRequest.newBuilder(address.resolve("/classify")).build()).statusCode())
        .isEqualTo(400);
    assertThat(send(post(whole)).statusCode()).isEqualTo(200);
  }

  @Test
  void isWellUntilItIsClosed() throws Exception {
    HttpRequest health = HttpRequest.newBuilder(address.resolve("/health")).build();
    HttpResponse<String> answer = send(health);
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.body()).isEqualTo("ok");
    service.close();
    assertThatThrownBy(() -> send(health)).isInstanceOf(ConnectException.class);
  }
}

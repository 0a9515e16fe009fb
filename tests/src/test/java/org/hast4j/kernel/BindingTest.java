package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.abi.Abi;
import org.hast4j.kernel.abi.BnActFwd;
import org.hast4j.kernel.abi.Conv2dWorkspaceBytes;
import org.hast4j.kernel.abi.FakeQuantFwd;
import org.hast4j.kernel.abi.StreamCreate;
import org.hast4j.tensor.Window;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The binding that is generated from the C headers. */
class BindingTest {
  private static final Path NATIVE = Path.of("../native");
  private static final Path HEADERS = NATIVE.resolve("include/hast");

  @Test
  void everyDeclaredFunctionIsBound() throws IOException {
    try (Stream<Path> headers = Files.list(HEADERS)) {
      for (Path header : headers.toList()) {
        List<String> declared =
            Pattern.compile("HAST_API[^(]*\\b(hast_\\w+)\\(")
                .matcher(Files.readString(header))
                .results()
                .map(match -> match.group(1))
                .toList();
        if (header.endsWith("status.h")) {
          assertThat(Abi.FUNCTIONS).doesNotContainAnyElementsOf(declared);
        } else {
          assertThat(Abi.FUNCTIONS).containsAll(declared);
          declared.forEach(
              name -> assertThat(Names.classOf(name)).isAssignableTo(NativeCall.class));
        }
      }
    }
    assertThat(Abi.FUNCTIONS).hasSizeGreaterThan(70).doesNotHaveDuplicates();
  }

  @Test
  void everyBoundFunctionIsInTheLibrary() {
    // Loading resolves every symbol and fails on the first that is missing.
    try (KernelLibrary library = KernelLibrary.load(Backend.CPU)) {
      assertThat(library.statusText(0)).isNotBlank();
      assertThat(library.deviceCount()).isEqualTo(1);
    }
  }

  @Test
  void marksOfTheHeaderReachTheBinding() {
    try (KernelLibrary library = KernelLibrary.load(Backend.CPU)) {
      List<NativeCall.Parameter> parameters = new BnActFwd(library).parameters();
      assertThat(names(parameters.stream().filter(NativeCall.Parameter::optional)))
          .containsExactly(
              "mask",
              "batch_mean",
              "batch_variance",
              "attention",
              "residual",
              "gamma",
              "beta",
              "range",
              "workspace");
      assertThat(names(parameters.stream().filter(parameter -> !parameter.address())))
          .containsExactly(
              "workspace_bytes", "n", "hw", "c", "epsilon", "slope", "ceiling", "bits", "in_range");
      assertThat(names(new StreamCreate(library).parameters().stream()))
          .containsExactly("ordinal", "threads", "pin");
    }
  }

  private static List<String> names(Stream<NativeCall.Parameter> parameters) {
    return parameters.map(NativeCall.Parameter::name).toList();
  }

  @Test
  void aCallSaysWhatItLacks() {
    try (OpenDevice device = OpenDevice.open(Backend.CPU, 1)) {
      FakeQuantFwd call = new FakeQuantFwd(device.library()).y(8).x(8).n(1);
      assertThatCode(() -> call.launch(device.stream()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("hast_fake_quant_fwd_f32 is called without range, bits");
    }
  }

  @Test
  void aRefusedCallNamesEveryArgumentWithItsValue() {
    try (OpenDevice device = OpenDevice.open(Backend.CPU, 1)) {
      FakeQuantFwd call = new FakeQuantFwd(device.library()).y(4096).x(0).range(8192).n(-3).bits(4);
      assertThatCode(() -> call.launch(device.stream()))
          .isInstanceOfSatisfying(
              KernelException.class, e -> assertThat(e.status()).isEqualTo(Abi.EARGUMENT))
          .hasMessageStartingWith("hast_fake_quant_fwd_f32: ")
          .hasMessageEndingWith(
              "(status -1): x = NULL, n = -3; with y = 0x1000, range = 0x2000, bits = 4");
      assertThatCode(() -> call.x(4096).n(1).bits(11).launch(device.stream()))
          .hasMessageEndingWith(
              "(status -1): y = 0x1000, x = 0x1000, range = 0x2000, n = 1, bits = 11");
      Conv2dWorkspaceBytes query = new Conv2dWorkspaceBytes(device.library());
      query
          .n(0)
          .h(3)
          .w(3)
          .c(3)
          .k(3)
          .r(3)
          .s(3)
          .groups(1)
          .window(new Window(1, 1).toArray())
          .direction(Abi.CONV_FWD);
      assertThatCode(query::call)
          .hasMessageStartingWith("hast_conv2d_workspace_bytes: ")
          .hasMessageContaining("(status -1): n = 0; with h = 3");
    }
  }

  /** What the generator does not understand must not go missing in silence. */
  @Test
  void anUnknownDeclarationFailsTheBuild(@TempDir Path folder) throws Exception {
    Path headers = Files.createDirectories(folder.resolve("headers"));
    Files.writeString(
        headers.resolve("a.h"), "HAST_API int32_t hast_a(double x, void* stream) HAST_NOEXCEPT;\n");
    assertThat(generate(headers, folder.resolve("a"))).contains("the ABI has no type double");
    Files.writeString(headers.resolve("a.h"), "HAST_API int32_t hast_a(int32_t x);\n");
    assertThat(generate(headers, folder.resolve("b"))).contains("declares 1 functions, 0 of them");
  }

  private static String generate(Path headers, Path sources) throws Exception {
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    Process process =
        new ProcessBuilder(
                java.toString(),
                NATIVE.resolve("binding/GenerateBinding.java").toString(),
                headers.toString(),
                sources.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).isNotZero();
    return output;
  }

  /** It is never unloaded, so a copy for each time it is opened would be a leak. */
  @Test
  void theCudaLibraryIsMappedOnce() throws IOException {
    List<String> mapped = mappedByOpening(Backend.CUDA);
    assertThat(mapped).hasSize(1);
    assertThat(mappedByOpening(Backend.CUDA)).isEqualTo(mapped);
  }

  /** The files of a backend's library in this process after it was opened and closed. */
  private static List<String> mappedByOpening(Backend backend) throws IOException {
    try (KernelLibrary library = KernelLibrary.load(backend)) {
      assertThat(library.checksum()).hasSize(8);
    } catch (IllegalStateException e) {
      Assumptions.abort(e.getMessage());
    }
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.contains(backend.fileName()))
        .map(line -> line.substring(line.indexOf('/')))
        .distinct()
        .collect(Collectors.toList());
  }
}

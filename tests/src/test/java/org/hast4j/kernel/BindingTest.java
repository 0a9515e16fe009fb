package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The hand-written binding against the C headers, parameter by parameter. */
class BindingTest {
  // Descriptors of their own: one returns text, two take heap arrays.
  private static final Set<String> SPECIAL =
      Set.of("hast_status_text", "hast_memory_upload", "hast_memory_download");

  private final Map<String, CHeaders.Function> functions = CHeaders.functions();
  private final KernelsBinding binding = new KernelsBinding();

  @Test
  void theHeadersAreFound() {
    assertThat(functions)
        .hasSizeGreaterThan(60)
        .containsKeys("hast_abi_version", "hast_conv2d_fwd_f32");
  }

  @Test
  void everyFunctionIsBoundAndEveryBoundOneDeclared() {
    Set<String> bound = new HashSet<>(binding.symbols().values());
    bound.add("hast_abi_version");
    assertThat(bound).containsExactlyInAnyOrderElementsOf(functions.keySet());
  }

  @Test
  void everyBoundFunctionIsInTheLibrary() {
    // Loading resolves every symbol and fails on the first that is missing.
    try (KernelLibrary library = KernelLibrary.load(Backend.CPU)) {
      assertThat(library.kernels().statusText(0)).isNotBlank();
    }
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
        .toList();
  }

  @Test
  void theAbiVersionsAgree() throws IOException {
    String header = Files.readString(CHeaders.FOLDER.resolve("status.h"));
    Matcher matcher = Pattern.compile("#define HAST_ABI_VERSION (\\d+)").matcher(header);
    assertThat(matcher.find()).isTrue();
    assertThat(Integer.parseInt(matcher.group(1))).isEqualTo(Kernels.ABI_VERSION);
  }

  @Test
  void descriptorsHaveTheParametersOfTheHeaders() {
    Map<String, String> handles = binding.handles();
    assertThat(handles.get("ABI_VERSION_OF")).isEmpty();
    binding
        .symbols()
        .forEach(
            (field, symbol) -> {
              if (!SPECIAL.contains(symbol)) {
                assertThat(handles.get(KernelsBinding.constant(field)))
                    .as("descriptor of %s", symbol)
                    .isEqualTo(functions.get(symbol).kinds());
              }
            });
  }

  @Test
  void descriptorsReturnWhatTheHeadersDeclare() throws ReflectiveOperationException {
    for (Map.Entry<String, String> entry : binding.symbols().entrySet()) {
      Field field = Kernels.class.getDeclaredField(KernelsBinding.constant(entry.getKey()));
      field.setAccessible(true);
      MethodHandle handle = (MethodHandle) field.get(null);
      String expected =
          switch (functions.get(entry.getValue()).result()) {
            case "int32_t" -> "int";
            case "int64_t" -> "long";
            case "const char*" -> "MemorySegment";
            default -> throw new AssertionError(functions.get(entry.getValue()));
          };
      assertThat(handle.type().returnType().getSimpleName())
          .as(entry.getValue())
          .isEqualTo(expected);
      assertThat(handle.type().parameterCount() - 1)
          .as("parameters of %s", entry.getValue())
          .isEqualTo(functions.get(entry.getValue()).parameters().size());
    }
  }

  /** Two pointers swapped would pass every check of types: the names must agree too. */
  @Test
  void argumentsStandInTheOrderOfTheHeaders() {
    Map<String, String> symbols = binding.symbols();
    Set<String> called = new HashSet<>();
    for (KernelsBinding.Call call : binding.calls()) {
      String symbol = symbols.get(call.field());
      called.add(symbol);
      assertThat(call.handle())
          .as("handle for %s", symbol)
          .isEqualTo(KernelsBinding.constant(call.field()));
      if (!call.symbol().isEmpty()) {
        assertThat(call.symbol()).as("name in exceptions of %s", call.field()).isEqualTo(symbol);
      }
      if (call.arguments().stream().allMatch(argument -> argument.matches("\\w+"))) {
        List<String> declared =
            functions.get(symbol).parameters().stream().map(CHeaders.Parameter::javaName).toList();
        assertThat(call.arguments()).as(symbol).isEqualTo(declared);
      }
    }
    Set<String> expected = new HashSet<>(functions.keySet());
    expected.removeAll(Set.of("hast_abi_version", "hast_status_text"));
    assertThat(called).isEqualTo(expected);
  }
}

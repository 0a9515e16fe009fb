package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.source.PickleWriter.pickle;
import static org.hast4j.source.PickleWriter.storage;
import static org.hast4j.source.PickleWriter.tensor;
import static org.hast4j.source.PickleWriter.torch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.source.PickleWriter.Built;
import org.hast4j.source.PickleWriter.Call;
import org.hast4j.source.PickleWriter.Name;
import org.hast4j.source.PickleWriter.New;
import org.hast4j.source.PickleWriter.Persistent;
import org.hast4j.source.PickleWriter.Tuple;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of PyTorch: those in the resources it wrote itself, the others are written by hand. */
class TorchSourceTest extends TorchTest {
  private static byte[] resource(String name) throws IOException {
    try (InputStream in = TorchSourceTest.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "zip-p2",
        "zip-p3",
        "zip-p4",
        "zip-p5",
        "legacy-p2",
        "legacy-p3",
        "legacy-p4",
        "legacy-p5"
      })
  void readsWhatTorchWrites(String name) throws IOException {
    Source source = read(resource(name + ".pth"));
    assertThat(source.tensors().keySet())
        .containsExactly(
            "plain",
            "transposed",
            "offset",
            "step",
            "expanded",
            "scalar",
            "half",
            "bfloat16",
            "double",
            "long",
            "int",
            "char",
            "byte",
            "channels_last",
            "parameter");
    assertThat(floats(source, "plain")).containsExactly(0, 1, 2, 3, 4, 5);
    assertThat(floats(source, "transposed")).containsExactly(0, 3, 1, 4, 2, 5);
    assertThat(floats(source, "offset")).containsExactly(6, 7, 8, 9, 10, 11, 12, 13);
    assertThat(floats(source, "step")).containsExactly(1, 6, 11, 16, 21);
    assertThat(floats(source, "expanded")).containsExactly(3, 3, 3, 3, 3, 3);
    assertThat(floats(source, "scalar")).containsExactly(2.5f);
    assertThat(floats(source, "half")).containsExactly(-1.5f, -.5f, .5f, 1.5f);
    assertThat(floats(source, "bfloat16")).containsExactly(-1.5f, -.5f, .5f, 1.5f);
    assertThat(floats(source, "double")).containsExactly(0, (float) (1 / 3.), (float) (2 / 3.));
    float[] counted = new float[24];
    for (int i = 0; i < counted.length; i++) {
      counted[i] = i;
    }
    assertThat(floats(source, "channels_last")).containsExactly(counted);
    assertThat(floats(source, "parameter")).containsExactly(0, 1);
    assertThat(source.tensors().get("transposed").shape()).isEqualTo(Shape.of(3, 2));
    assertThat(source.tensors().get("scalar").shape()).isEqualTo(Shape.of(1));
    assertThat(source.tensors().values().stream().map(StoredTensor::dtype).distinct())
        .containsExactly(
            DType.F32, DType.F16, DType.BF16, DType.F64, DType.I64, DType.I32, DType.I8, DType.U8);
    assertThatThrownBy(() -> floats(source, "long"))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("\"long\" is I64");
    assertThat(source.metadata())
        .containsExactly(
            Map.entry("epoch", "7"),
            Map.entry("arch", "t\u00efny"),
            Map.entry("acc", "0.5"),
            Map.entry("big", "1180591620717411303424"),
            Map.entry("negative", "-3"),
            Map.entry("flag", "true"),
            Map.entry("large", "70000"));
    assertThat(source.notes())
        .containsExactly(
            "took \"state_dict\" of \"epoch\", \"arch\", \"acc\", \"big\", \"negative\", \"none\","
                + " \"flag\", \"large\" and 5 others",
            "left out tensors of type int16: \"short\"",
            "left out tensors of type bool: \"bool\"",
            "left out tensors without values: \"empty\"");
  }

  /** Its buffer that is not persistent is no part of its state dict. */
  @Test
  void readsAWholePickledModule() throws IOException {
    Source source = read(resource("module-zip.pth"));
    Map<String, List<Integer>> values = new LinkedHashMap<>();
    values.put("kept", List.of(0, 1));
    values.put("conv.weight", List.of(0, 1));
    values.put("conv.bias", List.of(10, 11));
    for (String name : List.of("body", "alias")) {
      values.put(name + ".0.weight", List.of(20, 21));
      values.put(name + ".0.bias", List.of(30, 31));
      values.put(name + ".0.running_mean", List.of(0, 0));
      values.put(name + ".0.running_var", List.of(1, 1));
      values.put(name + ".0.num_batches_tracked", null);
    }
    assertThat(source.tensors().keySet()).containsExactlyElementsOf(values.keySet());
    values.forEach(
        (name, expected) -> {
          if (expected != null) {
            assertThat(floats(source, name)).containsExactly(expected.get(0), expected.get(1));
          }
        });
    assertThat(source.notes()).containsExactly("took the tensors of a pickled __main__.Tiny");
  }

  @Test
  void inflatesWhatOthersHaveCompressed() throws IOException {
    byte[] zip = TorchFiles.zip(pickle(Map.of("w", four())), Map.of("0", FOUR), ZipEntry.DEFLATED);
    assertThat(floats(read(zip), "w")).containsExactly(1, 2, 3, 4);
    byte[] zeros = new byte[1 << 26];
    Call large = tensor(storage("FloatStorage", "0", 1 << 24), 0, List.of(4L), List.of(1L));
    assertRefused(
        TorchFiles.zip(pickle(Map.of("w", large)), Map.of("0", zeros), ZipEntry.DEFLATED),
        "\"archive/data/0\" would be inflated to 67108864 bytes",
        "torch.save");
  }

  /** Offsets and sizes beyond 32 bits, as in files of more than 4 GB, may stand in small ones. */
  @Test
  void readsZip64() throws IOException {
    byte[] zip = TorchFiles.zip(pickle(Map.of("w", four())), Map.of("0", FOUR));
    ByteBuffer old = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
    int end = zip.length - 22;
    int directory = old.getInt(end + 16);
    ByteBuffer entries = ByteBuffer.allocate(1000).order(ByteOrder.LITTLE_ENDIAN);
    int count = old.getShort(end + 10);
    for (int i = 0, at = directory; i < count; i++) {
      int nameLength = old.getShort(at + 28);
      int extraLength = old.getShort(at + 30);
      entries.put(zip, at, 20).putInt(-1).putInt(-1).putShort((short) nameLength);
      entries.putShort((short) 28).put(zip, at + 32, 10).putInt(-1).put(zip, at + 46, nameLength);
      entries.putShort((short) 1).putShort((short) 24);
      entries.putLong(old.getInt(at + 24)).putLong(old.getInt(at + 20));
      entries.putLong(old.getInt(at + 42));
      at += 46 + nameLength + extraLength;
    }
    int size = entries.position();
    ByteBuffer wide =
        ByteBuffer.allocate(directory + size + 56 + 20 + 22).order(ByteOrder.LITTLE_ENDIAN);
    wide.put(zip, 0, directory).put(entries.array(), 0, size);
    wide.putInt(0x06064b50).putLong(44).putShort((short) 45).putShort((short) 45).putLong(0);
    wide.putLong(count).putLong(count).putLong(size).putLong(directory);
    wide.putInt(0x07064b50).putInt(0).putLong(directory + size).putInt(1);
    wide.putInt(0x06054b50).putInt(0).putShort((short) -1).putShort((short) -1);
    wide.putInt(-1).putInt(-1).putShort((short) 0);
    assertThat(floats(read(wide.array()), "w")).containsExactly(1, 2, 3, 4);
  }

  /** The views and the source code of modules that PyTorch up to 0.3 wrote. */
  @Test
  void readsTheFirstFormsOfTheOldFormat() throws IOException {
    Persistent view =
        new Persistent(
            new Tuple("storage", torch("FloatStorage"), "7", "cuda:0", 4, new Tuple("8", 1L, 3L)));
    Call old =
        new Call(new Name("torch._utils", "_rebuild_tensor"), view, 1, new Tuple(2), new Tuple(1));
    Call variable = new Call(new Name("torch.nn.parameter", "Parameter"), old);
    Persistent type =
        new Persistent(new Tuple("module", new Name("my.net", "Net"), "net.py", "class Net: pass"));
    Object module =
        new Built(
            new New(type),
            Map.of(
                "_parameters",
                new Call(
                    new Name("collections", "OrderedDict"),
                    List.of(List.of("w", new Built(variable, new Tuple(true, false, null)))))));
    Source source = read(TorchFiles.legacy(pickle(module), Map.of("7", FOUR), Float.BYTES));
    assertThat(floats(source, "w")).containsExactly(3, 4);
  }

  @Test
  void rebuildsTensorsOfEveryVersion() throws IOException {
    Name utils = new Name("torch._utils", "_rebuild_tensor_v3");
    Persistent untyped =
        new Persistent(
            new Tuple("storage", new Name("torch.storage", "UntypedStorage"), "0", "cpu", 16));
    Tuple one = new Tuple(1);
    Call third = new Call(utils, untyped, 3, one, one, false, Map.of(), torch("float32"), null);
    Call parameter =
        new Call(
            new Name("torch._utils", "_rebuild_parameter_with_state"),
            four(),
            true,
            Map.of(),
            Map.of("tag", 1));
    Call subclass =
        new Call(
            new Name("torch._tensor", "_rebuild_from_type_v2"),
            four().function(),
            new Name("fastai.torch_core", "TensorImage"),
            new Tuple(four().arguments()),
            Map.of());
    Map<String, Object> dict = new LinkedHashMap<>();
    dict.put("third", third);
    dict.put("parameter", parameter);
    dict.put("subclass", subclass);
    Source source = readZip(dict);
    assertThat(floats(source, "third")).containsExactly(4);
    assertThat(floats(source, "parameter")).containsExactly(1, 2, 3, 4);
    assertThat(floats(source, "subclass")).containsExactly(1, 2, 3, 4);
  }

  @Test
  void findsTheStateDictAmongOthers() throws IOException {
    Map<String, Object> two = new LinkedHashMap<>();
    two.put("a", four());
    two.put("b", four());
    Map<String, Object> usual = new LinkedHashMap<>();
    usual.put("teacher", two);
    usual.put("net", Map.of("w", four()));
    usual.put("model", Map.of("v", four()));
    usual.put("best", four());
    Source byKey = readZip(usual);
    assertThat(byKey.tensors()).containsOnlyKeys("v");
    assertThat(byKey.notes())
        .containsExactly("took \"model\" of \"teacher\", \"net\", \"model\", \"best\"");

    Map<String, Object> unusual = new LinkedHashMap<>();
    unusual.put("few", Map.of("w", four()));
    unusual.put("many", two);
    unusual.put("lr", 0.5);
    Source byNumber = readZip(unusual);
    assertThat(byNumber.tensors()).containsOnlyKeys("a", "b");
    assertThat(byNumber.notes()).containsExactly("took \"many\" of \"few\", \"many\", \"lr\"");
    assertThat(byNumber.metadata()).containsExactly(Map.entry("lr", "0.5"));

    Object trainer =
        new Built(new New(new Name("my", "Trainer")), Map.of("rounds", 4, "best", two));
    Source held = readZip(trainer);
    assertThat(held.tensors()).containsOnlyKeys("a", "b");
    assertThat(held.metadata()).containsExactly(Map.entry("rounds", "4"));

    Source nested = readZip(new Tuple(Map.of("state_dict", Map.of("model", two)), 3));
    assertThat(nested.tensors()).containsOnlyKeys("a", "b");
    assertThat(nested.notes()).hasSize(1);
  }

  @Test
  void saysWhatElseAFileHolds() throws IOException {
    Call array =
        new Call(
            new Name("numpy.core.multiarray", "_reconstruct"), new Name("numpy", "ndarray"), 1);
    Map<String, Object> mixed = new LinkedHashMap<>();
    mixed.put("w", four());
    mixed.put("x", array);
    assertThat(readZip(mixed).notes())
        .containsExactly("left out what is no tensor, such as a numpy.ndarray: \"x\"");
    assertRefused(
        Map.of("x", array),
        "holds no tensors by name, but a dict of 1 (\"x\": a numpy.ndarray)",
        "torch.save(model.state_dict()");
    assertRefused(
        new Built(new New(new Name("my", "Net\u001b[31m")), Map.of("depth", 3)),
        "a my.Net?[31m (\"depth\": a number)");
    assertRefused(List.of(four(), four()), "a list of 2");
  }

  @ParameterizedTest
  @CsvSource({
    "_rebuild_qtensor, quantised tensors",
    "_rebuild_wrapper_subclass, a class that wraps others"
  })
  void namesTensorsThatAreNotRead(String function, String problem) throws IOException {
    assertRefused(Map.of("w", new Call(new Name("torch._utils", function), 1)), problem, function);
  }

  /** Each of these lies about one number. */
  @Test
  void refusesTensorsOutsideTheirStorage() throws IOException {
    Persistent storage = storage("FloatStorage", "0", 4);
    List<Call> lies = new ArrayList<>();
    lies.add(tensor(storage, 1, List.of(4L), List.of(1L)));
    lies.add(tensor(storage, 4, List.of(1L), List.of(1L)));
    lies.add(tensor(storage, 0, List.of(2L, 3L), List.of(2L, 1L)));
    lies.add(tensor(storage, 0, List.of(2L), List.of(Long.MAX_VALUE)));
    lies.add(tensor(storage, Long.MAX_VALUE, List.of(2L), List.of(1L)));
    lies.add(tensor(storage, 0, List.of(1L << 32, 1L << 32), List.of(0L, 0L)));
    lies.add(tensor(storage, 0, List.of(1L << 33, 1L << 31, 2L), List.of(1L, 1L, 1L)));
    for (Call lie : lies) {
      assertRefused(Map.of("w", lie), "beyond the 4 values of storage \"0\"");
    }
    assertRefused(Map.of("w", tensor(storage, -1, List.of(1L), List.of(1L))), "without an offset");
    assertRefused(
        Map.of("w", tensor(storage, 3, List.of(2L), List.of(-1L))), "strides are no numbers");
    assertRefused(
        Map.of("w", tensor(storage, 0, List.of(2L), List.of(1L, 1L))), "1 sizes and 2 strides");
    assertRefused(
        Map.of("w", tensor(storage("FloatStorage", "0", 5), 0, List.of(5L), List.of(1L))),
        "has 16 bytes in storage \"0\", which is declared with 20");
    assertRefused(
        Map.of("w", tensor(storage("FloatStorage", "1", 4), 0, List.of(4L), List.of(1L))),
        "lacks its entry \"archive/data/1\"");
    assertRefused(
        Map.of(
            "w", tensor(storage("FloatStorage", "0", Long.MAX_VALUE), 0, List.of(4L), List.of(1L))),
        "a storage of 9223372036854775807 values");
    assertRefused(
        Map.of("w", tensor(storage("OddStorage", "0", 4), 0, List.of(4L), List.of(1L))),
        "torch.OddStorage, which is not known");
  }

  /** 16 bytes of values that would fill gigabytes. */
  @Test
  void refusesViewsThatGrow() throws IOException {
    Persistent storage = storage("FloatStorage", "0", 4);
    assertRefused(
        Map.of("w", tensor(storage, 0, List.of(1L << 30), List.of(0L))),
        "tensors of 4294967296 bytes that look at only 16");
  }

  @Test
  void refusesOldFilesThatContradictThemselves() throws IOException {
    byte[] dict = pickle(Map.of("w", four()));
    byte[] good = TorchFiles.legacy(dict, Map.of("0", FOUR), Float.BYTES);
    assertThat(floats(read(good), "w")).containsExactly(1, 2, 3, 4);
    assertRefused(
        TorchFiles.legacy(dict, Map.of("0", FOUR), 2 * Float.BYTES), "has 2 values in storage");
    assertRefused(TorchFiles.legacy(dict, Map.of(), Float.BYTES), "lacks its storage \"0\"");
    assertRefused(
        TorchFiles.legacy(dict, Map.of("1", FOUR), Float.BYTES), "\"1\" that no tensor names");
    assertRefused(Arrays.copyOf(good, good.length - 1), "is damaged or cut short");
    String text = new String(good, StandardCharsets.ISO_8859_1);
    String bigEndian = text.replace("little_endian\u0088", "little_endian\u0089");
    assertThat(bigEndian).isNotEqualTo(text);
    assertRefused(bigEndian.getBytes(StandardCharsets.ISO_8859_1), "has big-endian values");
  }

  @Test
  void refusesBigEndianZipFiles() throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    entries.put("x/data.pkl", pickle(Map.of("w", four())));
    entries.put("x/byteorder", "big".getBytes(StandardCharsets.US_ASCII));
    entries.put("x/data/0", FOUR);
    assertRefused(TorchFiles.zipOf(entries, ZipEntry.STORED), "has big-endian values");
  }
}

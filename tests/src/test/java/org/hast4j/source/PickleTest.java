package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.source.PickleWriter.pickle;
import static org.hast4j.source.PickleWriter.raw;
import static org.hast4j.source.PickleWriter.tensor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.source.PickleWriter.Call;
import org.hast4j.source.PickleWriter.Raw;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pickles that PyTorch does not write: odd, damaged and hostile ones. */
class PickleTest extends TorchTest {
  /** Opcodes of protocols 0 and 1, of sets, copies and numbers, around a tensor. */
  @Test
  void readsOpcodesThatTorchDoesNotWrite() throws IOException {
    Raw dict =
        new Raw(
            raw(
                "(dp0\n", // a dictionary, remembered
                "S'a\\'b'\nI-5\ns", // a text in quotes and a number
                "VU\nF0.25\ns",
                "S'long'\nL12345678901234567890L\ns",
                "S'true'\nI01\ns",
                "U\u0003setc__builtin__\nset\n((lI1\natRs", // set([1])
                "\u008c\u0003new\u008f(K\u0001K\u0002\u0090s", // {1, 2}
                "(S'x'\n(i__main__\nThing\nu", // an instance
                "(S'y'\n(c__main__\nThing\nou",
                "S'z'\n(K\u0001K\u00021K\u000720s", // 7, after marks and copies that are dropped
                "0g0\n"));
    Map<String, Object> around = new LinkedHashMap<>();
    around.put("state_dict", Map.of("w", four()));
    around.put("rest", dict);
    Source source = readZip(around);
    assertThat(floats(source, "w")).containsExactly(1, 2, 3, 4);

    byte[] pickle = pickle(new Raw(raw(dict.opcodes(), "S'w'\n", pickle(four()), "s")));
    String text = new String(pickle, StandardCharsets.ISO_8859_1).replace(".s.", "s.");
    Source flat =
        read(TorchFiles.zip(text.getBytes(StandardCharsets.ISO_8859_1), Map.of("0", FOUR)));
    assertThat(flat.metadata())
        .containsExactly(
            Map.entry("a'b", "-5"),
            Map.entry("U", "0.25"),
            Map.entry("long", "12345678901234567890"),
            Map.entry("true", "true"),
            Map.entry("z", "7"));
  }

  @Test
  void objectsThatHoldThemselvesEnd() throws IOException {
    // d = {}; d["model"] = d, and a module that is its own part.
    Raw dict = new Raw(raw('}', 'q', 0, "U\u0005modelh\u0000s"));
    assertRefused(dict, "holds no tensors by name");
    Raw module = new Raw(raw("cm\nM\n)Rq\u0000}U\u0008_modules}U\u0001mh\u0000ssb"));
    assertRefused(module, "holds no tensors by name");
    // Each module holds the one before it twice.
    StringBuilder bomb = new StringBuilder("cm\nM\n)R}U\u0008_modules}sbq\u0000");
    for (int i = 1; i < 100; i++) {
      bomb.append("cm\nM\n)R}U\u0008_modules}(U\u0001ah").append((char) (i - 1));
      bomb.append("U\u0001bh").append((char) (i - 1)).append("usbq").append((char) i);
    }
    assertRefused(new Raw(raw(bomb.toString())), "hold one another without end");
  }

  /** What is described once and used by many calls, each of a few bytes. */
  @Test
  void refusesCallsThatCopyMuch() throws IOException {
    String calls = "h\0h\1R0".repeat(300_000);
    String pairs = "N]q\2(" + "]".repeat(100_000) + "eh\2\u0085q\1";
    assertRefused(new Raw(raw("ccollections\nOrderedDict\nq\0", pairs, calls)), "far more objects");
    String sizes = "(h\2K\0(" + "K\1".repeat(100_000) + "tq\3h\3tq\1";
    assertRefused(
        new Raw(raw("ctorch._utils\n_rebuild_tensor\nq\0", pickled(four()), "q\2", sizes, calls)),
        "100000 dimensions");
    String longName = "c" + "m".repeat(1 << 20) + "\nf\nq\0)q\1";
    assertRefused(new Raw(raw(longName, calls, "N")), "far more objects");
  }

  /** The opcodes of a tensor's storage, without what begins and ends a pickle. */
  private static byte[] pickled(Call tensor) {
    byte[] pickle = pickle(tensor.arguments()[0]);
    return Arrays.copyOfRange(pickle, 2, pickle.length - 1);
  }

  @Test
  void refusesPicklesThatFillTheHeap() throws IOException {
    for (String opcode : List.of("}", "]", "(", "N", "\u0094", "]\u0094", "}NNs", "K\u0001", "2")) {
      assertRefused(
          new Raw(raw("N", opcode.repeat((40 << 20) / opcode.length()))), "far more objects");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0|lacks a value",
        "(t00|lacks a value",
        "t|lacks a mark",
        "s|lacks a value",
        "NNNs|no dict",
        "Na|lacks a value",
        "NNa|no list",
        "N(NNu|no dict",
        "}(Nu|a key of a dict has no value",
        "h9|an object that it has not described",
        "NR|lacks a value",
        "NNR|without arguments",
        "(o|no class",
        "Ix|the number 'x'",
        "NQ|in an unknown way",
        "!|no pickle has the opcode 0x21",
      })
  void refusesBrokenPickles(String opcodes, String problem) throws IOException {
    assertRefused(TorchFiles.zip(raw(0x80, 2, opcodes, "\n."), Map.of()), problem);
  }

  @Test
  void refusesUnknownProtocolsAndRegistries() throws IOException {
    assertRefused(TorchFiles.zip(raw(0x80, 6, "N."), Map.of()), "pickle protocol 6");
    assertRefused(TorchFiles.zip(raw(0x80, 2, 0x82, 1, '.'), Map.of()), "of a registry");
    assertRefused(TorchFiles.zip(raw(0x80, 5, 0x97, '.'), Map.of()), "outside its pickle");
    assertRefused(
        TorchFiles.zip(raw(0x80, 2, 'X', 0, 0, 0, 0x7f), Map.of()), "is damaged or cut short");
  }
}

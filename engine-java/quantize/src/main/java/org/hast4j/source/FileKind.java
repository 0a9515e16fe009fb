package org.hast4j.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.hast4j.io.Json;
import org.hast4j.io.bytes.LittleEndian;
import org.hast4j.source.torch.Description;

/** What a file is, by its first bytes; people give networks' files all kinds of names. */
enum FileKind {
  ZIP,
  PICKLE,
  SAFETENSORS,
  ONNX,
  EMPTY("is empty; download or copy it again"),
  GIT_LFS(
      "is a Git LFS pointer, a note in place of the file; fetch the file itself by git lfs pull, or"
          + " download it"),
  HDF5(
      "is an HDF5 file, as Keras saves networks (.h5); export the network to ONNX by tf2onnx, or"
          + " write its weights as safetensors with PyTorch's names and shapes"),
  GZIP("is compressed by gzip; unpack it by gunzip, and give what that yields"),
  COMPRESSED("is compressed by bzip2, xz, zstd or 7-Zip; unpack it, and give the file in it"),
  OLD_TORCH_TAR(
      "is in PyTorch's first format, a tar archive of its pickle, storages and tensors; load it"
          + " with PyTorch and save it again: torch.save(torch.load(file), \"network.pth\")"),
  TAR("is a tar archive; unpack it by tar xf, and give the network's file in it"),
  TENSORFLOW_LITE(
      "is a TensorFlow Lite file; export the network that it was made from to ONNX by tf2onnx"),
  SAVED_MODEL("is a TensorFlow SavedModel; export it to ONNX by tf2onnx"),
  NUMPY(
      "is one of numpy's arrays (.npy); give the file of a whole network: safetensors, PyTorch's or"
          + " ONNX"),
  GGUF("is a GGUF file of a language model; only image classifiers are read"),
  WEB_PAGE(
      "is a web page (HTML or XML), most often that about the file, or about an error; download the"
          + " file itself"),
  JSON("is a JSON text"),
  UNKNOWN("is no safetensors, PyTorch or ONNX file");

  private static final int FIRST_BYTES = 512;
  private static final int MAX_JSON_BYTES = 1 << 22;
  private static final long MAX_SAFETENSORS_HEADER = 100_000_000;
  private static final int TAR_BLOCK = 512;

  /** Texts at the beginning, in Latin-1, or further on. */
  private record Magic(FileKind kind, int offset, String text) {}

  private static final List<Magic> MAGICS =
      List.of(
          new Magic(ZIP, 0, "PK\3\4"),
          new Magic(ZIP, 0, "PK\5\6"),
          new Magic(PICKLE, 0, "\u0080\1"),
          new Magic(PICKLE, 0, "\u0080\2"),
          new Magic(PICKLE, 0, "\u0080\3"),
          new Magic(PICKLE, 0, "\u0080\4"),
          new Magic(PICKLE, 0, "\u0080\5"),
          // PyTorch's magic number in protocols 0 and 1, which have no mark of their own.
          new Magic(PICKLE, 0, "L119547037146038801333356L\n"),
          new Magic(PICKLE, 0, "(dp0\n"),
          new Magic(GIT_LFS, 0, "version https://git-lfs.github.com/"),
          new Magic(HDF5, 0, "\u0089HDF\r\n\u001a\n"),
          new Magic(GZIP, 0, "\u001f\u008b"),
          new Magic(COMPRESSED, 0, "BZh"),
          new Magic(COMPRESSED, 0, "\u00fd7zXZ"),
          new Magic(COMPRESSED, 0, "(\u00b5/\u00fd"),
          new Magic(COMPRESSED, 0, "7z\u00bc\u00af"),
          new Magic(TAR, 257, "ustar"),
          new Magic(TENSORFLOW_LITE, 4, "TFL3"),
          new Magic(NUMPY, 0, "\u0093NUMPY"),
          new Magic(GGUF, 0, "GGUF"));

  // Null for the kinds that are read.
  private final String problem;

  FileKind() {
    this(null);
  }

  FileKind(String problem) {
    this.problem = problem;
  }

  /** What the bytes of a file are. */
  static FileKind of(MemorySegment bytes) {
    if (bytes.byteSize() == 0) {
      return EMPTY;
    }
    // A whole file's header is the only one that has its length, in eight bytes, before a brace.
    // One that names a tensor or opens metadata is meant so, whatever length it claims.
    if (bytes.byteSize() > Long.BYTES + 1
        && bytes.get(ValueLayout.JAVA_BYTE, Long.BYTES) == '{'
        && bytes.get(ValueLayout.JAVA_BYTE, Long.BYTES + 1) == '"') {
      return SAFETENSORS;
    }
    if (bytes.byteSize() > Long.BYTES
        && bytes.get(ValueLayout.JAVA_BYTE, Long.BYTES) == '{'
        && Long.compareUnsigned(bytes.get(LittleEndian.LONG, 0), MAX_SAFETENSORS_HEADER) <= 0) {
      return SAFETENSORS;
    }
    String start = start(bytes);
    Optional<FileKind> marked =
        MAGICS.stream()
            .filter(magic -> start.startsWith(magic.text, magic.offset))
            .map(Magic::kind)
            .findFirst();
    if (marked.isPresent()) {
      return marked.get() == TAR && isOldTorch(bytes) ? OLD_TORCH_TAR : marked.get();
    }
    String text = start.stripLeading().toLowerCase(Locale.ROOT);
    if (List.of("<!doctype", "<html", "<head", "<?xml", "<!--").stream()
        .anyMatch(text::startsWith)) {
      return WEB_PAGE;
    }
    if (text.matches("(?s)(\\{\\s*[\"}]|\\[\\s*[\\[{\"\\d\\]]).*")) {
      return JSON;
    }
    // Old archives have no mark, but a name and, in front of it, a checksum in octal digits.
    if (start.matches("(?s)(sys_info|pickle|storages|tensors)\0.{135,}")) {
      return OLD_TORCH_TAR;
    }
    return protobuf(start);
  }

  private static String start(MemorySegment bytes) {
    long count = Math.min(bytes.byteSize(), FIRST_BYTES);
    byte[] start = bytes.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
    return new String(start, StandardCharsets.ISO_8859_1);
  }

  /** Whether one of the first members has the name that PyTorch gave. */
  private static boolean isOldTorch(MemorySegment bytes) {
    long at = 0;
    for (int i = 0; i < 4 && at >= 0 && at <= bytes.byteSize() - TAR_BLOCK; i++) {
      String header = start(bytes.asSlice(at));
      String name = header.substring(0, Math.max(0, header.indexOf('\0')));
      if (name.equals("sys_info") || name.equals("storages") || name.equals("tensors")) {
        return true;
      }
      String size = header.substring(124, 135).strip();
      if (!size.matches("[0-7]{1,11}")) {
        return false;
      }
      at += TAR_BLOCK + Math.ceilDiv(Long.parseLong(size, 8), TAR_BLOCK) * TAR_BLOCK;
    }
    return false;
  }

  /**
   * Protobuf has no mark. ONNX's first field is a version, which is small, and behind it stands
   * another field of the model; TensorFlow's begins alike.
   */
  private static FileKind protobuf(String start) {
    if (start.length() < 3 || start.charAt(0) != 0x08) {
      return UNKNOWN;
    }
    if (start.startsWith("\b\u0001\u0012")) {
      return SAVED_MODEL;
    }
    // producer name and version, domain, model version, text, graph, operators, metadata.
    boolean isField = "\u0012\u001a\"(2:Br".indexOf(start.charAt(2)) >= 0;
    return start.charAt(1) < 64 && isField ? ONNX : UNKNOWN;
  }

  /**
   * What is wrong with giving a file of this kind, and what to do.
   *
   * @param bytes the file's
   */
  String problem(MemorySegment bytes) {
    return switch (this) {
      case JSON -> json(bytes);
      case UNKNOWN -> problem + "; it begins with the bytes " + firstBytes(bytes);
      case ZIP, PICKLE, SAFETENSORS, ONNX -> throw new IllegalStateException(this + " is read");
      case EMPTY,
          GIT_LFS,
          HDF5,
          GZIP,
          COMPRESSED,
          OLD_TORCH_TAR,
          TAR,
          TENSORFLOW_LITE,
          SAVED_MODEL,
          NUMPY,
          GGUF,
          WEB_PAGE ->
          problem;
    };
  }

  private static String firstBytes(MemorySegment bytes) {
    byte[] first =
        bytes.asSlice(0, Math.min(bytes.byteSize(), Long.BYTES)).toArray(ValueLayout.JAVA_BYTE);
    return HexFormat.ofDelimiter(" ").formatHex(first);
  }

  /** The index of a network in several files names those. */
  private static String json(MemorySegment bytes) {
    Optional<Map<?, ?>> weights = weightMap(bytes);
    if (weights.isEmpty()) {
      return "is a JSON text without weights; give the file that holds the network's values";
    }
    Set<String> shards = new TreeSet<>();
    weights.get().values().forEach(shard -> shards.add(String.valueOf(shard)));
    return "is the index of a network that lies in other files, %s; merge those into one: in"
            .formatted(Description.quoted(shards))
        + " Python read each by safetensors.torch.load_file, and write all their tensors by"
        + " safetensors.torch.save_file";
  }

  private static Optional<Map<?, ?>> weightMap(MemorySegment bytes) {
    if (bytes.byteSize() > MAX_JSON_BYTES) {
      return Optional.empty();
    }
    try {
      byte[] text = bytes.toArray(ValueLayout.JAVA_BYTE);
      return Json.parse(new String(text, StandardCharsets.UTF_8)) instanceof Map<?, ?> fields
              && fields.get("weight_map") instanceof Map<?, ?> weights
          ? Optional.of(weights)
          : Optional.empty();
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
  }
}

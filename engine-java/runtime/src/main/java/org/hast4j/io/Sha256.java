package org.hast4j.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 checksums as 64 lower-case hexadecimal digits. */
public final class Sha256 {
  private static final int BLOCK_BYTES = 1 << 18;

  private Sha256() {}

  /** The checksum of the bytes of all parts, one after the other. */
  public static String of(byte[]... parts) {
    MessageDigest digest = newDigest();
    for (byte[] part : parts) {
      digest.update(part);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * The checksum of a file's content.
   *
   * @throws UnreadableFileException if the file cannot be read
   */
  public static String of(Path file) {
    MessageDigest digest = newDigest();
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES);
      while (channel.read(block) >= 0) {
        digest.update(block.flip());
        block.clear();
      }
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}

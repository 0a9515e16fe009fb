package org.hast4j.vendor;

import java.util.List;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.hast4j.device.driver.OpenDevice;

/** The streams of a device as NVIDIA's libraries know them. */
final class Streams {
  private final long[] streams;
  private final CUstream_st[] natives;

  Streams(OpenDevice device, List<Long> streams) {
    this.streams = streams.stream().mapToLong(Long::longValue).toArray();
    natives =
        streams.stream()
            .map(stream -> new CUstream_st(new Address(device.nativeStream(stream))))
            .toArray(CUstream_st[]::new);
  }

  /** A stream's own. */
  CUstream_st nativeOf(long stream) {
    return natives[index(stream)];
  }

  /** The index of a stream. */
  int index(long stream) {
    for (int i = 0; i < streams.length; i++) {
      if (streams[i] == stream) {
        return i;
      }
    }
    throw new IllegalArgumentException("no library was opened for stream " + stream);
  }
}

package org.hast4j.kernel;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The C ABI of a hast library, one method per symbol; {@code native/include/hast/*.h} documents
 * each. Addresses are raw {@code long}s, 0 for an argument left out. Handles are per signature and
 * shared by all libraries; an instance holds the addresses of one library's symbols, so that calls
 * are monomorphic, constant-folded and free of allocation.
 *
 * <p>A status other than 0 becomes a {@link KernelException} that names the function.
 */
public final class Kernels {
  /** HAST_ABI_VERSION of the headers this binding was written against. */
  public static final int ABI_VERSION = 4;

  private static final int OUT_OF_MEMORY = -3;
  private static final int DESCRIPTION_BYTES = 512;

  private static final MethodHandle ABI_VERSION_OF = call("");
  private static final MethodHandle STATUS_TEXT =
      Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(ADDRESS, JAVA_INT));
  private static final MethodHandle DEVICE_COUNT = call("p");
  private static final MethodHandle DEVICE_DESCRIBE = call("pji");
  private static final MethodHandle DEVICE_MEMORY = call("ppi");
  private static final MethodHandle STREAM_CREATE = call("piii");
  private static final MethodHandle MEMORY_ALLOCATE = call("pji");
  // Heap arrays are handed over as they are; a call holds up the collector until the copy is done,
  // and with it what was launched before.
  private static final MethodHandle MEMORY_UPLOAD =
      Linker.nativeLinker()
          .downcallHandle(
              FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG),
              Linker.Option.critical(true));
  private static final MethodHandle MEMORY_DOWNLOAD =
      Linker.nativeLinker()
          .downcallHandle(
              FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG),
              Linker.Option.critical(true));
  private static final MethodHandle HOST_ALLOCATE = call("pj");
  private static final MethodHandle EVENT_CREATE = call("pi");
  private static final MethodHandle EVENT_QUERY = call("pp");
  private static final MethodHandle EVENT_ELAPSED = call("ppp");
  private static final MethodHandle STREAM_NATIVE = call("pp");
  private static final MethodHandle CAPTURE_END = call("ppp");
  private static final MethodHandle STREAM_DESTROY = call("p");
  private static final MethodHandle STREAM_MATH = call("pi");
  private static final MethodHandle STREAM_SYNCHRONIZE = call("p");
  private static final MethodHandle MEMORY_FREE = call("pi");
  private static final MethodHandle MEMORY_COPY = call("ppjp");
  private static final MethodHandle HOST_FREE = call("p");
  private static final MethodHandle MEMORY_DOWNLOAD_ASYNC = call("ppjp");
  private static final MethodHandle EVENT_DESTROY = call("p");
  private static final MethodHandle EVENT_RECORD = call("pp");
  private static final MethodHandle STREAM_WAIT = call("pp");
  private static final MethodHandle CAPTURE_BEGIN = call("p");
  private static final MethodHandle GRAPH_LAUNCH = call("pp");
  private static final MethodHandle GRAPH_DESTROY = call("p");
  private static final MethodHandle FILL_FWD = call("pjfp");
  private static final MethodHandle ADD_FWD = call("pppjp");
  private static final MethodHandle SCALE_FWD = call("ppjfp");
  private static final MethodHandle TANH_FWD = call("ppjp");
  private static final MethodHandle TANH_BWD = call("pppjp");
  private static final MethodHandle SIGN_PERTURB_FWD = call("pppjfp");
  private static final MethodHandle COUNTER_STEP = call("pp");
  private static final MethodHandle PHILOX_NORMAL_FWD = call("ppjip");
  private static final MethodHandle PHILOX_LABELS_FWD = call("ppjiip");
  private static final MethodHandle CROP_BOXES_FWD = call("pppjjjjjffffip");
  private static final MethodHandle SHIFT_BOXES_FWD = call("pppjjjjjiiip");
  private static final MethodHandle CROP_FLIP_FWD = call("pppjjjjjjjp");
  private static final MethodHandle GATHER_LABELS_FWD = call("pppjjp");
  private static final MethodHandle CROP_FLIP_BWD = call("pppjjjjjjp");
  private static final MethodHandle FAKE_QUANT_FWD = call("pppjip");
  private static final MethodHandle FAKE_QUANT_CHANNEL_FWD = call("ppjjip");
  private static final MethodHandle MIN_MAX_WORKSPACE_BYTES = query("j");
  private static final MethodHandle MIN_MAX_FWD = call("pppjjp");
  private static final MethodHandle RANGE_TRACK_STEP = call("pppfip");
  private static final MethodHandle BN_STATS_WORKSPACE_BYTES = query("jj");
  private static final MethodHandle BN_STATS_FWD = call("ppppjjjp");
  private static final MethodHandle BN_ACT_FWD_WORKSPACE_BYTES = query("jjj");
  private static final MethodHandle BN_ACT_FWD = call("pppppppppppppjjjjfffiip");
  private static final MethodHandle BN_ACT_BWD_WORKSPACE_BYTES = query("jjj");
  private static final MethodHandle BN_ACT_BWD = call("pppppppppppppppjjjjffip");
  private static final MethodHandle BN_RUNNING_STEP = call("ppppjjfp");
  private static final MethodHandle BN_STATS_LOSS_FWD = call("ppppppjjfip");
  private static final MethodHandle CHANNEL_SUM_WORKSPACE_BYTES = query("jj");
  private static final MethodHandle CHANNEL_SUM_FWD = call("pppjjjp");
  private static final MethodHandle CONV2D_WORKSPACE_BYTES = query("jjjjjjjiii");
  private static final MethodHandle CONV2D_FWD = call("pppppjjjjjjjjiip");
  private static final MethodHandle CONV2D_BWD_DATA = call("ppppjjjjjjjjiiip");
  private static final MethodHandle CONV2D_BWD_WEIGHT = call("ppppjjjjjjjjiip");
  private static final MethodHandle DEPTHWISE_WORKSPACE_BYTES = query("jjjjjjiii");
  private static final MethodHandle DEPTHWISE_FWD = call("ppppjjjjjjjiip");
  private static final MethodHandle DEPTHWISE_BWD_DATA = call("ppppjjjjjjjiiip");
  private static final MethodHandle DEPTHWISE_BWD_WEIGHT = call("ppppjjjjjjjiip");
  private static final MethodHandle LINEAR_FWD = call("ppppjjjp");
  private static final MethodHandle LINEAR_BWD_DATA = call("pppjjjp");
  private static final MethodHandle LINEAR_BWD_WEIGHT = call("ppppjjjp");
  private static final MethodHandle GLOBAL_AVG_POOL_FWD = call("ppjjjp");
  private static final MethodHandle GLOBAL_AVG_POOL_BWD = call("ppjjjp");
  private static final MethodHandle MAX_POOL_FWD = call("pppjjjjiiip");
  private static final MethodHandle MAX_POOL_BWD = call("pppjjjjiiip");
  private static final MethodHandle UPSAMPLE_FWD = call("ppjjjjp");
  private static final MethodHandle UPSAMPLE_BWD = call("ppjjjjp");
  private static final MethodHandle EMBEDDING_FWD = call("ppppjjjp");
  private static final MethodHandle EMBEDDING_BWD = call("ppppjjjp");
  private static final MethodHandle SHORTCUT_FWD = call("ppjjjjjip");
  private static final MethodHandle SHORTCUT_BWD = call("ppjjjjjip");
  private static final MethodHandle HARD_CE_FWD = call("pppppjjffp");
  private static final MethodHandle DISTILL_KL_FWD = call("pppppjjffp");
  private static final MethodHandle FEATURE_ALIGN_FWD = call("pppppjjjfip");
  private static final MethodHandle ADAM_STEP = call("ppppppjfffp");
  private static final MethodHandle SGD_STEP = call("pppppjffip");
  private static final MethodHandle SAMPLE_STEP = call("pppppppjfffffffip");
  private static final MethodHandle KEEP_BEST_STEP = call("ppppppjp");

  private final MemorySegment statusText;
  private final MemorySegment deviceCount;
  private final MemorySegment deviceDescribe;
  private final MemorySegment deviceMemory;
  private final MemorySegment streamCreate;
  private final MemorySegment memoryAllocate;
  private final MemorySegment memoryUpload;
  private final MemorySegment memoryDownload;
  private final MemorySegment hostAllocate;
  private final MemorySegment eventCreate;
  private final MemorySegment eventQuery;
  private final MemorySegment eventElapsed;
  private final MemorySegment streamNative;
  private final MemorySegment captureEnd;
  private final MemorySegment streamDestroy;
  private final MemorySegment streamMath;
  private final MemorySegment streamSynchronize;
  private final MemorySegment memoryFree;
  private final MemorySegment memoryCopy;
  private final MemorySegment hostFree;
  private final MemorySegment memoryDownloadAsync;
  private final MemorySegment eventDestroy;
  private final MemorySegment eventRecord;
  private final MemorySegment streamWait;
  private final MemorySegment captureBegin;
  private final MemorySegment graphLaunch;
  private final MemorySegment graphDestroy;
  private final MemorySegment fillFwd;
  private final MemorySegment addFwd;
  private final MemorySegment scaleFwd;
  private final MemorySegment tanhFwd;
  private final MemorySegment tanhBwd;
  private final MemorySegment signPerturbFwd;
  private final MemorySegment counterStep;
  private final MemorySegment philoxNormalFwd;
  private final MemorySegment philoxLabelsFwd;
  private final MemorySegment cropBoxesFwd;
  private final MemorySegment shiftBoxesFwd;
  private final MemorySegment cropFlipFwd;
  private final MemorySegment gatherLabelsFwd;
  private final MemorySegment cropFlipBwd;
  private final MemorySegment fakeQuantFwd;
  private final MemorySegment fakeQuantChannelFwd;
  private final MemorySegment minMaxWorkspaceBytes;
  private final MemorySegment minMaxFwd;
  private final MemorySegment rangeTrackStep;
  private final MemorySegment bnStatsWorkspaceBytes;
  private final MemorySegment bnStatsFwd;
  private final MemorySegment bnActFwdWorkspaceBytes;
  private final MemorySegment bnActFwd;
  private final MemorySegment bnActBwdWorkspaceBytes;
  private final MemorySegment bnActBwd;
  private final MemorySegment bnRunningStep;
  private final MemorySegment bnStatsLossFwd;
  private final MemorySegment channelSumWorkspaceBytes;
  private final MemorySegment channelSumFwd;
  private final MemorySegment conv2dWorkspaceBytes;
  private final MemorySegment conv2dFwd;
  private final MemorySegment conv2dBwdData;
  private final MemorySegment conv2dBwdWeight;
  private final MemorySegment depthwiseWorkspaceBytes;
  private final MemorySegment depthwiseFwd;
  private final MemorySegment depthwiseBwdData;
  private final MemorySegment depthwiseBwdWeight;
  private final MemorySegment linearFwd;
  private final MemorySegment linearBwdData;
  private final MemorySegment linearBwdWeight;
  private final MemorySegment globalAvgPoolFwd;
  private final MemorySegment globalAvgPoolBwd;
  private final MemorySegment maxPoolFwd;
  private final MemorySegment maxPoolBwd;
  private final MemorySegment upsampleFwd;
  private final MemorySegment upsampleBwd;
  private final MemorySegment embeddingFwd;
  private final MemorySegment embeddingBwd;
  private final MemorySegment shortcutFwd;
  private final MemorySegment shortcutBwd;
  private final MemorySegment hardCeFwd;
  private final MemorySegment distillKlFwd;
  private final MemorySegment featureAlignFwd;
  private final MemorySegment adamStep;
  private final MemorySegment sgdStep;
  private final MemorySegment sampleStep;
  private final MemorySegment keepBestStep;

  /** Resolves every symbol of a loaded library; {@link KernelLibrary} owns the library. */
  Kernels(Symbols symbols) {
    int version;
    try {
      version = (int) ABI_VERSION_OF.invokeExact(symbols.find("hast_abi_version"));
    } catch (Throwable e) {
      throw unexpected(e);
    }
    if (version != ABI_VERSION) {
      throw new IllegalStateException(
          "%s has ABI version %d, this program needs %d: build both from the same sources"
              .formatted(symbols.library(), version, ABI_VERSION));
    }
    statusText = symbols.find("hast_status_text");
    deviceCount = symbols.find("hast_device_count");
    deviceDescribe = symbols.find("hast_device_describe");
    deviceMemory = symbols.find("hast_device_memory");
    streamCreate = symbols.find("hast_stream_create");
    memoryAllocate = symbols.find("hast_memory_allocate");
    memoryUpload = symbols.find("hast_memory_upload");
    memoryDownload = symbols.find("hast_memory_download");
    hostAllocate = symbols.find("hast_host_allocate");
    eventCreate = symbols.find("hast_event_create");
    eventQuery = symbols.find("hast_event_query");
    eventElapsed = symbols.find("hast_event_elapsed");
    streamNative = symbols.find("hast_stream_native");
    captureEnd = symbols.find("hast_capture_end");
    streamDestroy = symbols.find("hast_stream_destroy");
    streamMath = symbols.find("hast_stream_math");
    streamSynchronize = symbols.find("hast_stream_synchronize");
    memoryFree = symbols.find("hast_memory_free");
    memoryCopy = symbols.find("hast_memory_copy");
    hostFree = symbols.find("hast_host_free");
    memoryDownloadAsync = symbols.find("hast_memory_download_async");
    eventDestroy = symbols.find("hast_event_destroy");
    eventRecord = symbols.find("hast_event_record");
    streamWait = symbols.find("hast_stream_wait");
    captureBegin = symbols.find("hast_capture_begin");
    graphLaunch = symbols.find("hast_graph_launch");
    graphDestroy = symbols.find("hast_graph_destroy");
    fillFwd = symbols.find("hast_fill_fwd_f32");
    addFwd = symbols.find("hast_add_fwd_f32");
    scaleFwd = symbols.find("hast_scale_fwd_f32");
    tanhFwd = symbols.find("hast_tanh_fwd_f32");
    tanhBwd = symbols.find("hast_tanh_bwd_f32");
    signPerturbFwd = symbols.find("hast_sign_perturb_fwd_f32");
    counterStep = symbols.find("hast_counter_step_i64");
    philoxNormalFwd = symbols.find("hast_philox_normal_fwd_f32");
    philoxLabelsFwd = symbols.find("hast_philox_labels_fwd_i32");
    cropBoxesFwd = symbols.find("hast_crop_boxes_fwd_i32");
    shiftBoxesFwd = symbols.find("hast_shift_boxes_fwd_i32");
    cropFlipFwd = symbols.find("hast_crop_flip_fwd_f32");
    gatherLabelsFwd = symbols.find("hast_gather_labels_fwd_i32");
    cropFlipBwd = symbols.find("hast_crop_flip_bwd_f32");
    fakeQuantFwd = symbols.find("hast_fake_quant_fwd_f32");
    fakeQuantChannelFwd = symbols.find("hast_fake_quant_channel_fwd_f32");
    minMaxWorkspaceBytes = symbols.find("hast_min_max_workspace_bytes");
    minMaxFwd = symbols.find("hast_min_max_fwd_f32");
    rangeTrackStep = symbols.find("hast_range_track_step_f32");
    bnStatsWorkspaceBytes = symbols.find("hast_bn_stats_workspace_bytes");
    bnStatsFwd = symbols.find("hast_bn_stats_fwd_f32");
    bnActFwdWorkspaceBytes = symbols.find("hast_bn_act_fwd_workspace_bytes");
    bnActFwd = symbols.find("hast_bn_act_fwd_f32");
    bnActBwdWorkspaceBytes = symbols.find("hast_bn_act_bwd_workspace_bytes");
    bnActBwd = symbols.find("hast_bn_act_bwd_f32");
    bnRunningStep = symbols.find("hast_bn_running_step_f32");
    bnStatsLossFwd = symbols.find("hast_bn_stats_loss_fwd_f32");
    channelSumWorkspaceBytes = symbols.find("hast_channel_sum_workspace_bytes");
    channelSumFwd = symbols.find("hast_channel_sum_fwd_f32");
    conv2dWorkspaceBytes = symbols.find("hast_conv2d_workspace_bytes");
    conv2dFwd = symbols.find("hast_conv2d_fwd_f32");
    conv2dBwdData = symbols.find("hast_conv2d_bwd_data_f32");
    conv2dBwdWeight = symbols.find("hast_conv2d_bwd_weight_f32");
    depthwiseWorkspaceBytes = symbols.find("hast_depthwise_workspace_bytes");
    depthwiseFwd = symbols.find("hast_depthwise_fwd_f32");
    depthwiseBwdData = symbols.find("hast_depthwise_bwd_data_f32");
    depthwiseBwdWeight = symbols.find("hast_depthwise_bwd_weight_f32");
    linearFwd = symbols.find("hast_linear_fwd_f32");
    linearBwdData = symbols.find("hast_linear_bwd_data_f32");
    linearBwdWeight = symbols.find("hast_linear_bwd_weight_f32");
    globalAvgPoolFwd = symbols.find("hast_global_avg_pool_fwd_f32");
    globalAvgPoolBwd = symbols.find("hast_global_avg_pool_bwd_f32");
    maxPoolFwd = symbols.find("hast_max_pool_fwd_f32");
    maxPoolBwd = symbols.find("hast_max_pool_bwd_f32");
    upsampleFwd = symbols.find("hast_upsample_fwd_f32");
    upsampleBwd = symbols.find("hast_upsample_bwd_f32");
    embeddingFwd = symbols.find("hast_embedding_fwd_f32");
    embeddingBwd = symbols.find("hast_embedding_bwd_f32");
    shortcutFwd = symbols.find("hast_shortcut_fwd_f32");
    shortcutBwd = symbols.find("hast_shortcut_bwd_f32");
    hardCeFwd = symbols.find("hast_hard_ce_fwd_f32");
    distillKlFwd = symbols.find("hast_distill_kl_fwd_f32");
    featureAlignFwd = symbols.find("hast_feature_align_fwd_f32");
    adamStep = symbols.find("hast_adam_step_f32");
    sgdStep = symbols.find("hast_sgd_step_f32");
    sampleStep = symbols.find("hast_sample_step_f32");
    keepBestStep = symbols.find("hast_keep_best_step_f32");
  }

  /** Finds a symbol of one library by name, or fails naming both. */
  interface Symbols {
    MemorySegment find(String name);

    String library();
  }

  // One letter per parameter: p address, j int64_t, i int32_t, f float.
  private static FunctionDescriptor signature(MemoryLayout result, String parameters) {
    return FunctionDescriptor.of(
        result,
        parameters
            .chars()
            .mapToObj(
                c ->
                    switch ((char) c) {
                      case 'p', 'j' -> JAVA_LONG;
                      case 'i' -> JAVA_INT;
                      case 'f' -> JAVA_FLOAT;
                      default -> throw new IllegalArgumentException(parameters);
                    })
            .toArray(MemoryLayout[]::new));
  }

  private static MethodHandle call(String parameters) {
    return Linker.nativeLinker().downcallHandle(signature(JAVA_INT, parameters));
  }

  private static MethodHandle query(String parameters) {
    return Linker.nativeLinker().downcallHandle(signature(JAVA_LONG, parameters));
  }

  private void check(String function, int status) {
    if (status != 0) {
      throw new KernelException(function, status, statusText(status), status == OUT_OF_MEMORY);
    }
  }

  private static RuntimeException unexpected(Throwable e) {
    if (e instanceof RuntimeException exception) {
      return exception;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new IllegalStateException("a kernel call threw " + e, e);
  }

  /** The library's text for a status code. */
  public String statusText(int status) {
    try {
      MemorySegment text = (MemorySegment) STATUS_TEXT.invokeExact(statusText, status);
      return text.reinterpret(Long.MAX_VALUE).getString(0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public int deviceCount() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      check("hast_device_count", (int) DEVICE_COUNT.invokeExact(deviceCount, count.address()));
      return count.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public String deviceDescribe(int ordinal) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(DESCRIPTION_BYTES);
      check(
          "hast_device_describe",
          (int)
              DEVICE_DESCRIBE.invokeExact(
                  deviceDescribe, text.address(), text.byteSize(), ordinal));
      return text.getString(0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Free and installed bytes of a device. */
  public record DeviceMemory(long free, long total) {}

  public DeviceMemory deviceMemory(int ordinal) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(JAVA_LONG, 2);
      check(
          "hast_device_memory",
          (int)
              DEVICE_MEMORY.invokeExact(
                  deviceMemory, bytes.address(), bytes.address() + Long.BYTES, ordinal));
      return new DeviceMemory(bytes.getAtIndex(JAVA_LONG, 0), bytes.getAtIndex(JAVA_LONG, 1));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The address of a new stream. */
  public long streamCreate(int ordinal, int threads, boolean pinned) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stream = arena.allocate(JAVA_LONG);
      check(
          "hast_stream_create",
          (int)
              STREAM_CREATE.invokeExact(
                  streamCreate, stream.address(), ordinal, threads, pinned ? 1 : 0));
      return stream.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The address of new device memory, not cleared. */
  public long memoryAllocate(long bytes, int ordinal) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(JAVA_LONG);
      check(
          "hast_memory_allocate",
          (int) MEMORY_ALLOCATE.invokeExact(memoryAllocate, address.address(), bytes, ordinal));
      return address.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The address of new host memory that a device can copy to while the host goes on. */
  public long hostAllocate(long bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(JAVA_LONG);
      check(
          "hast_host_allocate",
          (int) HOST_ALLOCATE.invokeExact(hostAllocate, address.address(), bytes));
      return address.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The address of a new event. */
  public long eventCreate(int ordinal) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment event = arena.allocate(JAVA_LONG);
      check(
          "hast_event_create",
          (int) EVENT_CREATE.invokeExact(eventCreate, event.address(), ordinal));
      return event.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Whether the device has passed an event's last record. */
  public boolean eventQuery(long event) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment done = arena.allocate(JAVA_INT);
      check("hast_event_query", (int) EVENT_QUERY.invokeExact(eventQuery, done.address(), event));
      return done.get(JAVA_INT, 0) != 0;
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Milliseconds of device time between two events that have been passed. */
  public float eventElapsed(long start, long stop) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment milliseconds = arena.allocate(JAVA_FLOAT);
      check(
          "hast_event_elapsed",
          (int) EVENT_ELAPSED.invokeExact(eventElapsed, milliseconds.address(), start, stop));
      return milliseconds.get(JAVA_FLOAT, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** The stream as the device's own runtime knows it: a cudaStream_t; 0 where there is none. */
  public long streamNative(long stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle = arena.allocate(JAVA_LONG);
      check(
          "hast_stream_native",
          (int) STREAM_NATIVE.invokeExact(streamNative, handle.address(), stream));
      return handle.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * A captured graph.
   *
   * @param address for {@link #graphLaunch}
   * @param nodes kernels and copies in it
   */
  public record Captured(long address, long nodes) {}

  public Captured captureEnd(long stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment results = arena.allocate(JAVA_LONG, 2);
      check(
          "hast_capture_end",
          (int)
              CAPTURE_END.invokeExact(
                  captureEnd, results.address(), results.address() + Long.BYTES, stream));
      return new Captured(results.getAtIndex(JAVA_LONG, 0), results.getAtIndex(JAVA_LONG, 1));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Copies host memory, on or off the heap, to a device address. */
  public void memoryUpload(long device, MemorySegment host, long stream) {
    try {
      check(
          "hast_memory_upload",
          (int) MEMORY_UPLOAD.invokeExact(memoryUpload, device, host, host.byteSize(), stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** Fills host memory, on or off the heap, from a device address. */
  public void memoryDownload(MemorySegment host, long device, long stream) {
    try {
      check(
          "hast_memory_download",
          (int) MEMORY_DOWNLOAD.invokeExact(memoryDownload, host, device, host.byteSize(), stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // device.h

  public void streamDestroy(long stream) {
    try {
      check("hast_stream_destroy", (int) STREAM_DESTROY.invokeExact(streamDestroy, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void streamSynchronize(long stream) {
    try {
      check(
          "hast_stream_synchronize",
          (int) STREAM_SYNCHRONIZE.invokeExact(streamSynchronize, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void memoryFree(long address, int ordinal) {
    try {
      check("hast_memory_free", (int) MEMORY_FREE.invokeExact(memoryFree, address, ordinal));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void memoryCopy(long destination, long source, long bytes, long stream) {
    try {
      check(
          "hast_memory_copy",
          (int) MEMORY_COPY.invokeExact(memoryCopy, destination, source, bytes, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void streamMath(long stream, int math) {
    try {
      check("hast_stream_math", (int) STREAM_MATH.invokeExact(streamMath, stream, math));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void hostFree(long address) {
    try {
      check("hast_host_free", (int) HOST_FREE.invokeExact(hostFree, address));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void memoryDownloadAsync(long host, long device, long bytes, long stream) {
    try {
      check(
          "hast_memory_download_async",
          (int)
              MEMORY_DOWNLOAD_ASYNC.invokeExact(memoryDownloadAsync, host, device, bytes, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void eventDestroy(long event) {
    try {
      check("hast_event_destroy", (int) EVENT_DESTROY.invokeExact(eventDestroy, event));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void eventRecord(long event, long stream) {
    try {
      check("hast_event_record", (int) EVENT_RECORD.invokeExact(eventRecord, event, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void streamWait(long stream, long event) {
    try {
      check("hast_stream_wait", (int) STREAM_WAIT.invokeExact(streamWait, stream, event));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void captureBegin(long stream) {
    try {
      check("hast_capture_begin", (int) CAPTURE_BEGIN.invokeExact(captureBegin, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void graphLaunch(long graph, long stream) {
    try {
      check("hast_graph_launch", (int) GRAPH_LAUNCH.invokeExact(graphLaunch, graph, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void graphDestroy(long graph) {
    try {
      check("hast_graph_destroy", (int) GRAPH_DESTROY.invokeExact(graphDestroy, graph));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // elementwise.h

  public void fillFwd(long y, long n, float value, long stream) {
    try {
      check("hast_fill_fwd_f32", (int) FILL_FWD.invokeExact(fillFwd, y, n, value, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void addFwd(long y, long a, long b, long n, long stream) {
    try {
      check("hast_add_fwd_f32", (int) ADD_FWD.invokeExact(addFwd, y, a, b, n, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void scaleFwd(long y, long x, long n, float factor, long stream) {
    try {
      check("hast_scale_fwd_f32", (int) SCALE_FWD.invokeExact(scaleFwd, y, x, n, factor, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void tanhFwd(long y, long x, long n, long stream) {
    try {
      check("hast_tanh_fwd_f32", (int) TANH_FWD.invokeExact(tanhFwd, y, x, n, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void tanhBwd(long dx, long dy, long y, long n, long stream) {
    try {
      check("hast_tanh_bwd_f32", (int) TANH_BWD.invokeExact(tanhBwd, dx, dy, y, n, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void signPerturbFwd(long y, long x, long g, long n, float epsilon, long stream) {
    try {
      check(
          "hast_sign_perturb_fwd_f32",
          (int) SIGN_PERTURB_FWD.invokeExact(signPerturbFwd, y, x, g, n, epsilon, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void counterStep(long counter, long stream) {
    try {
      check("hast_counter_step_i64", (int) COUNTER_STEP.invokeExact(counterStep, counter, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // random.h

  public void philoxNormalFwd(long y, long key, long n, int draw, long stream) {
    try {
      check(
          "hast_philox_normal_fwd_f32",
          (int) PHILOX_NORMAL_FWD.invokeExact(philoxNormalFwd, y, key, n, draw, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void philoxLabelsFwd(long y, long key, long n, int classes, int draw, long stream) {
    try {
      check(
          "hast_philox_labels_fwd_i32",
          (int) PHILOX_LABELS_FWD.invokeExact(philoxLabelsFwd, y, key, n, classes, draw, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void cropBoxesFwd(
      long boxes,
      long key,
      long order,
      long n,
      long images,
      long orderCount,
      long height,
      long width,
      float scaleMin,
      float scaleMax,
      float ratioMin,
      float ratioMax,
      int draw,
      long stream) {
    try {
      check(
          "hast_crop_boxes_fwd_i32",
          (int)
              CROP_BOXES_FWD.invokeExact(
                  cropBoxesFwd,
                  boxes,
                  key,
                  order,
                  n,
                  images,
                  orderCount,
                  height,
                  width,
                  scaleMin,
                  scaleMax,
                  ratioMin,
                  ratioMax,
                  draw,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void shiftBoxesFwd(
      long boxes,
      long key,
      long order,
      long n,
      long images,
      long orderCount,
      long height,
      long width,
      int pad,
      int flip,
      int draw,
      long stream) {
    try {
      check(
          "hast_shift_boxes_fwd_i32",
          (int)
              SHIFT_BOXES_FWD.invokeExact(
                  shiftBoxesFwd,
                  boxes,
                  key,
                  order,
                  n,
                  images,
                  orderCount,
                  height,
                  width,
                  pad,
                  flip,
                  draw,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void cropFlipFwd(
      long y,
      long images,
      long boxes,
      long n,
      long imagesCount,
      long height,
      long width,
      long channels,
      long outHeight,
      long outWidth,
      long stream) {
    try {
      check(
          "hast_crop_flip_fwd_f32",
          (int)
              CROP_FLIP_FWD.invokeExact(
                  cropFlipFwd,
                  y,
                  images,
                  boxes,
                  n,
                  imagesCount,
                  height,
                  width,
                  channels,
                  outHeight,
                  outWidth,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void gatherLabelsFwd(
      long labels, long allLabels, long boxes, long n, long images, long stream) {
    try {
      check(
          "hast_gather_labels_fwd_i32",
          (int)
              GATHER_LABELS_FWD.invokeExact(
                  gatherLabelsFwd, labels, allLabels, boxes, n, images, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void cropFlipBwd(
      long dimages,
      long dy,
      long boxes,
      long n,
      long height,
      long width,
      long channels,
      long outHeight,
      long outWidth,
      long stream) {
    try {
      check(
          "hast_crop_flip_bwd_f32",
          (int)
              CROP_FLIP_BWD.invokeExact(
                  cropFlipBwd,
                  dimages,
                  dy,
                  boxes,
                  n,
                  height,
                  width,
                  channels,
                  outHeight,
                  outWidth,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // quantize.h

  public void fakeQuantFwd(long y, long x, long range, long n, int bits, long stream) {
    try {
      check(
          "hast_fake_quant_fwd_f32",
          (int) FAKE_QUANT_FWD.invokeExact(fakeQuantFwd, y, x, range, n, bits, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void fakeQuantChannelFwd(long y, long x, long rows, long cols, int bits, long stream) {
    try {
      check(
          "hast_fake_quant_channel_fwd_f32",
          (int)
              FAKE_QUANT_CHANNEL_FWD.invokeExact(
                  fakeQuantChannelFwd, y, x, rows, cols, bits, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public long minMaxWorkspaceBytes(long n) {
    try {
      return (long) MIN_MAX_WORKSPACE_BYTES.invokeExact(minMaxWorkspaceBytes, n);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void minMaxFwd(
      long range, long x, long workspace, long workspaceBytes, long n, long stream) {
    try {
      check(
          "hast_min_max_fwd_f32",
          (int) MIN_MAX_FWD.invokeExact(minMaxFwd, range, x, workspace, workspaceBytes, n, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void rangeTrackStep(
      long range, long state, long batch, float momentum, int rule, long stream) {
    try {
      check(
          "hast_range_track_step_f32",
          (int)
              RANGE_TRACK_STEP.invokeExact(
                  rangeTrackStep, range, state, batch, momentum, rule, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // norm.h

  public long bnStatsWorkspaceBytes(long rows, long c) {
    try {
      return (long) BN_STATS_WORKSPACE_BYTES.invokeExact(bnStatsWorkspaceBytes, rows, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void bnStatsFwd(
      long mean,
      long variance,
      long x,
      long workspace,
      long workspaceBytes,
      long rows,
      long c,
      long stream) {
    try {
      check(
          "hast_bn_stats_fwd_f32",
          (int)
              BN_STATS_FWD.invokeExact(
                  bnStatsFwd, mean, variance, x, workspace, workspaceBytes, rows, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public long bnActFwdWorkspaceBytes(long n, long hw, long c) {
    try {
      return (long) BN_ACT_FWD_WORKSPACE_BYTES.invokeExact(bnActFwdWorkspaceBytes, n, hw, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void bnActFwd(
      long y,
      long mask,
      long batchMean,
      long batchVariance,
      long attention,
      long u,
      long addend,
      long gamma,
      long beta,
      long mean,
      long variance,
      long range,
      long workspace,
      long workspaceBytes,
      long n,
      long hw,
      long c,
      float epsilon,
      float slope,
      float ceiling,
      int bits,
      int inRange,
      long stream) {
    try {
      check(
          "hast_bn_act_fwd_f32",
          (int)
              BN_ACT_FWD.invokeExact(
                  bnActFwd,
                  y,
                  mask,
                  batchMean,
                  batchVariance,
                  attention,
                  u,
                  addend,
                  gamma,
                  beta,
                  mean,
                  variance,
                  range,
                  workspace,
                  workspaceBytes,
                  n,
                  hw,
                  c,
                  epsilon,
                  slope,
                  ceiling,
                  bits,
                  inRange,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public long bnActBwdWorkspaceBytes(long n, long hw, long c) {
    try {
      return (long) BN_ACT_BWD_WORKSPACE_BYTES.invokeExact(bnActBwdWorkspaceBytes, n, hw, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void bnActBwd(
      long du,
      long daddend,
      long dgamma,
      long dbeta,
      long dy,
      long mask,
      long u,
      long gamma,
      long beta,
      long mean,
      long variance,
      long attentionGrad,
      long statGrad,
      long batchMean,
      long workspace,
      long workspaceBytes,
      long n,
      long hw,
      long c,
      float epsilon,
      float slope,
      int training,
      long stream) {
    try {
      check(
          "hast_bn_act_bwd_f32",
          (int)
              BN_ACT_BWD.invokeExact(
                  bnActBwd,
                  du,
                  daddend,
                  dgamma,
                  dbeta,
                  dy,
                  mask,
                  u,
                  gamma,
                  beta,
                  mean,
                  variance,
                  attentionGrad,
                  statGrad,
                  batchMean,
                  workspace,
                  workspaceBytes,
                  n,
                  hw,
                  c,
                  epsilon,
                  slope,
                  training,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void bnRunningStep(
      long runningMean,
      long runningVariance,
      long mean,
      long variance,
      long rows,
      long c,
      float momentum,
      long stream) {
    try {
      check(
          "hast_bn_running_step_f32",
          (int)
              BN_RUNNING_STEP.invokeExact(
                  bnRunningStep,
                  runningMean,
                  runningVariance,
                  mean,
                  variance,
                  rows,
                  c,
                  momentum,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void bnStatsLossFwd(
      long loss,
      long statGrad,
      long mean,
      long variance,
      long runningMean,
      long runningVariance,
      long rows,
      long c,
      float weight,
      int accumulate,
      long stream) {
    try {
      check(
          "hast_bn_stats_loss_fwd_f32",
          (int)
              BN_STATS_LOSS_FWD.invokeExact(
                  bnStatsLossFwd,
                  loss,
                  statGrad,
                  mean,
                  variance,
                  runningMean,
                  runningVariance,
                  rows,
                  c,
                  weight,
                  accumulate,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public long channelSumWorkspaceBytes(long rows, long c) {
    try {
      return (long) CHANNEL_SUM_WORKSPACE_BYTES.invokeExact(channelSumWorkspaceBytes, rows, c);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void channelSumFwd(
      long y, long x, long workspace, long workspaceBytes, long rows, long c, long stream) {
    try {
      check(
          "hast_channel_sum_fwd_f32",
          (int)
              CHANNEL_SUM_FWD.invokeExact(
                  channelSumFwd, y, x, workspace, workspaceBytes, rows, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // conv.h

  public long conv2dWorkspaceBytes(
      long n, long h, long w, long c, long k, long r, long s, int stride, int pad, int direction) {
    try {
      return (long)
          CONV2D_WORKSPACE_BYTES.invokeExact(
              conv2dWorkspaceBytes, n, h, w, c, k, r, s, stride, pad, direction);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void conv2dFwd(
      long y,
      long x,
      long weight,
      long bias,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long k,
      long r,
      long s,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_conv2d_fwd_f32",
          (int)
              CONV2D_FWD.invokeExact(
                  conv2dFwd,
                  y,
                  x,
                  weight,
                  bias,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  k,
                  r,
                  s,
                  stride,
                  pad,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void conv2dBwdData(
      long dx,
      long dy,
      long weight,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long k,
      long r,
      long s,
      int stride,
      int pad,
      int accumulate,
      long stream) {
    try {
      check(
          "hast_conv2d_bwd_data_f32",
          (int)
              CONV2D_BWD_DATA.invokeExact(
                  conv2dBwdData,
                  dx,
                  dy,
                  weight,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  k,
                  r,
                  s,
                  stride,
                  pad,
                  accumulate,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void conv2dBwdWeight(
      long dweight,
      long dy,
      long x,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long k,
      long r,
      long s,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_conv2d_bwd_weight_f32",
          (int)
              CONV2D_BWD_WEIGHT.invokeExact(
                  conv2dBwdWeight,
                  dweight,
                  dy,
                  x,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  k,
                  r,
                  s,
                  stride,
                  pad,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public long depthwiseWorkspaceBytes(
      long n, long h, long w, long c, long r, long s, int stride, int pad, int direction) {
    try {
      return (long)
          DEPTHWISE_WORKSPACE_BYTES.invokeExact(
              depthwiseWorkspaceBytes, n, h, w, c, r, s, stride, pad, direction);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void depthwiseFwd(
      long y,
      long x,
      long weight,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long r,
      long s,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_depthwise_fwd_f32",
          (int)
              DEPTHWISE_FWD.invokeExact(
                  depthwiseFwd,
                  y,
                  x,
                  weight,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  r,
                  s,
                  stride,
                  pad,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void depthwiseBwdData(
      long dx,
      long dy,
      long weight,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long r,
      long s,
      int stride,
      int pad,
      int accumulate,
      long stream) {
    try {
      check(
          "hast_depthwise_bwd_data_f32",
          (int)
              DEPTHWISE_BWD_DATA.invokeExact(
                  depthwiseBwdData,
                  dx,
                  dy,
                  weight,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  r,
                  s,
                  stride,
                  pad,
                  accumulate,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void depthwiseBwdWeight(
      long dweight,
      long dy,
      long x,
      long workspace,
      long workspaceBytes,
      long n,
      long h,
      long w,
      long c,
      long r,
      long s,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_depthwise_bwd_weight_f32",
          (int)
              DEPTHWISE_BWD_WEIGHT.invokeExact(
                  depthwiseBwdWeight,
                  dweight,
                  dy,
                  x,
                  workspace,
                  workspaceBytes,
                  n,
                  h,
                  w,
                  c,
                  r,
                  s,
                  stride,
                  pad,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // layer.h

  public void linearFwd(
      long y, long x, long weight, long bias, long n, long inputs, long outputs, long stream) {
    try {
      check(
          "hast_linear_fwd_f32",
          (int) LINEAR_FWD.invokeExact(linearFwd, y, x, weight, bias, n, inputs, outputs, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void linearBwdData(
      long dx, long dy, long weight, long n, long inputs, long outputs, long stream) {
    try {
      check(
          "hast_linear_bwd_data_f32",
          (int)
              LINEAR_BWD_DATA.invokeExact(
                  linearBwdData, dx, dy, weight, n, inputs, outputs, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void linearBwdWeight(
      long dweight, long dbias, long dy, long x, long n, long inputs, long outputs, long stream) {
    try {
      check(
          "hast_linear_bwd_weight_f32",
          (int)
              LINEAR_BWD_WEIGHT.invokeExact(
                  linearBwdWeight, dweight, dbias, dy, x, n, inputs, outputs, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void globalAvgPoolFwd(long y, long x, long n, long hw, long c, long stream) {
    try {
      check(
          "hast_global_avg_pool_fwd_f32",
          (int) GLOBAL_AVG_POOL_FWD.invokeExact(globalAvgPoolFwd, y, x, n, hw, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void globalAvgPoolBwd(long dx, long dy, long n, long hw, long c, long stream) {
    try {
      check(
          "hast_global_avg_pool_bwd_f32",
          (int) GLOBAL_AVG_POOL_BWD.invokeExact(globalAvgPoolBwd, dx, dy, n, hw, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void maxPoolFwd(
      long y,
      long index,
      long x,
      long n,
      long h,
      long w,
      long c,
      int window,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_max_pool_fwd_f32",
          (int)
              MAX_POOL_FWD.invokeExact(
                  maxPoolFwd, y, index, x, n, h, w, c, window, stride, pad, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void maxPoolBwd(
      long dx,
      long dy,
      long index,
      long n,
      long h,
      long w,
      long c,
      int window,
      int stride,
      int pad,
      long stream) {
    try {
      check(
          "hast_max_pool_bwd_f32",
          (int)
              MAX_POOL_BWD.invokeExact(
                  maxPoolBwd, dx, dy, index, n, h, w, c, window, stride, pad, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void upsampleFwd(long y, long x, long n, long h, long w, long c, long stream) {
    try {
      check(
          "hast_upsample_fwd_f32",
          (int) UPSAMPLE_FWD.invokeExact(upsampleFwd, y, x, n, h, w, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void upsampleBwd(long dx, long dy, long n, long h, long w, long c, long stream) {
    try {
      check(
          "hast_upsample_bwd_f32",
          (int) UPSAMPLE_BWD.invokeExact(upsampleBwd, dx, dy, n, h, w, c, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void embeddingFwd(
      long y, long table, long noise, long labels, long n, long d, long classes, long stream) {
    try {
      check(
          "hast_embedding_fwd_f32",
          (int)
              EMBEDDING_FWD.invokeExact(
                  embeddingFwd, y, table, noise, labels, n, d, classes, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void embeddingBwd(
      long dtable, long dy, long noise, long labels, long n, long d, long classes, long stream) {
    try {
      check(
          "hast_embedding_bwd_f32",
          (int)
              EMBEDDING_BWD.invokeExact(
                  embeddingBwd, dtable, dy, noise, labels, n, d, classes, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void shortcutFwd(
      long y, long x, long n, long h, long w, long c, long k, int stride, long stream) {
    try {
      check(
          "hast_shortcut_fwd_f32",
          (int) SHORTCUT_FWD.invokeExact(shortcutFwd, y, x, n, h, w, c, k, stride, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void shortcutBwd(
      long dx, long dy, long n, long h, long w, long c, long k, int stride, long stream) {
    try {
      check(
          "hast_shortcut_bwd_f32",
          (int) SHORTCUT_BWD.invokeExact(shortcutBwd, dx, dy, n, h, w, c, k, stride, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // loss.h

  public void hardCeFwd(
      long loss,
      long dlogits,
      long difficulty,
      long logits,
      long labels,
      long n,
      long k,
      float beta,
      float gamma,
      long stream) {
    try {
      check(
          "hast_hard_ce_fwd_f32",
          (int)
              HARD_CE_FWD.invokeExact(
                  hardCeFwd, loss, dlogits, difficulty, logits, labels, n, k, beta, gamma, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void distillKlFwd(
      long loss,
      long dstudent,
      long dteacher,
      long student,
      long teacher,
      long n,
      long k,
      float temperature,
      float alpha,
      long stream) {
    try {
      check(
          "hast_distill_kl_fwd_f32",
          (int)
              DISTILL_KL_FWD.invokeExact(
                  distillKlFwd,
                  loss,
                  dstudent,
                  dteacher,
                  student,
                  teacher,
                  n,
                  k,
                  temperature,
                  alpha,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void featureAlignFwd(
      long loss,
      long studentGrad,
      long teacherGrad,
      long student,
      long teacher,
      long n,
      long hw,
      long c,
      float lambda,
      int accumulate,
      long stream) {
    try {
      check(
          "hast_feature_align_fwd_f32",
          (int)
              FEATURE_ALIGN_FWD.invokeExact(
                  featureAlignFwd,
                  loss,
                  studentGrad,
                  teacherGrad,
                  student,
                  teacher,
                  n,
                  hw,
                  c,
                  lambda,
                  accumulate,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  // optim.h

  public void adamStep(
      long p,
      long m,
      long v,
      long g,
      long lr,
      long step,
      long n,
      float beta1,
      float beta2,
      float epsilon,
      long stream) {
    try {
      check(
          "hast_adam_step_f32",
          (int)
              ADAM_STEP.invokeExact(
                  adamStep, p, m, v, g, lr, step, n, beta1, beta2, epsilon, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void sgdStep(
      long p,
      long buffer,
      long g,
      long lr,
      long rates,
      long n,
      float momentum,
      float decay,
      int nesterov,
      long stream) {
    try {
      check(
          "hast_sgd_step_f32",
          (int)
              SGD_STEP.invokeExact(
                  sgdStep, p, buffer, g, lr, rates, n, momentum, decay, nesterov, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void sampleStep(
      long p,
      long m,
      long v,
      long state,
      long step,
      long g,
      long loss,
      long n,
      float beta1,
      float beta2,
      float epsilon,
      float factor,
      float threshold,
      float minLr,
      float lrEpsilon,
      int patience,
      long stream) {
    try {
      check(
          "hast_sample_step_f32",
          (int)
              SAMPLE_STEP.invokeExact(
                  sampleStep,
                  p,
                  m,
                  v,
                  state,
                  step,
                  g,
                  loss,
                  n,
                  beta1,
                  beta2,
                  epsilon,
                  factor,
                  threshold,
                  minLr,
                  lrEpsilon,
                  patience,
                  stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  public void keepBestStep(
      long kept, long keptLoss, long keptAt, long p, long loss, long now, long n, long stream) {
    try {
      check(
          "hast_keep_best_step_f32",
          (int)
              KEEP_BEST_STEP.invokeExact(
                  keepBestStep, kept, keptLoss, keptAt, p, loss, now, n, stream));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }
}

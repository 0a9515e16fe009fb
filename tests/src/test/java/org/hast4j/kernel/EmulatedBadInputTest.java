package org.hast4j.kernel;

import java.util.Map;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.abi.Abi;
import org.junit.jupiter.api.Test;

/** Spoilt arguments to the CUDA sources, run on the CPU. */
class EmulatedBadInputTest extends BadInput {
  EmulatedBadInputTest() {
    super(Platform.EMULATED);
  }

  @Test
  void sizesThatKernelsCannotCountAreUnsupported() {
    for (String size : new String[] {"height", "width", "channels", "out_height", "out_width"}) {
      Map<String, Object> spoilt = Map.of(size, 1L << 31);
      refuses(SmallCalls.kernel("hast_crop_flip_fwd_f32"), spoilt, Abi.EUNSUPPORTED);
      refuses(SmallCalls.kernel("hast_crop_flip_bwd_f32"), spoilt, Abi.EUNSUPPORTED);
    }
    for (String size : new String[] {"n", "inputs", "outputs"}) {
      Map<String, Object> spoilt = Map.of(size, (1L << 30) + 1);
      refuses(SmallCalls.kernel("hast_linear_fwd_f32"), spoilt, Abi.EUNSUPPORTED);
      refuses(SmallCalls.kernel("hast_linear_bwd_data_f32"), spoilt, Abi.EUNSUPPORTED);
      refuses(SmallCalls.kernel("hast_linear_bwd_weight_f32"), spoilt, Abi.EUNSUPPORTED);
    }
  }
}

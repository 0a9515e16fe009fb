package org.hast4j.kernel;

import java.util.List;

/** A call that is launched on a stream. */
public abstract class KernelCall extends NativeCall implements Launch {
  protected KernelCall(KernelLibrary library, String name, List<Parameter> parameters) {
    super(library, name, parameters);
  }

  @Override
  public final void launch(long stream) {
    run(stream);
  }
}

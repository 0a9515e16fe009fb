package org.hast4j.source.torch;

import java.util.Set;

/** What a zip file is, by the names of its entries. */
enum ZipContent {
  TORCH_SCRIPT(
      "is a TorchScript archive, which carries its network as code; save the weights in Python:"
          + " torch.save(torch.jit.load(file).state_dict(), \"network.pth\")"),
  KERAS(
      "is a Keras file; export it to ONNX by tf2onnx, or write its weights as safetensors with"
          + " PyTorch's names and shapes"),
  NUMPY(
      "is a zip file of numpy's arrays (.npz); write them as safetensors in Python:"
          + " safetensors.numpy.save_file(dict(numpy.load(file)), \"network.safetensors\")"),
  CORE_ML("is a Core ML package; save the network that it was made from, or export that to ONNX"),
  OTHER(
      "is a zip file without a network that torch.save has written; unpack it, and give the"
          + " network's file in it");

  private final String problem;

  ZipContent(String problem) {
    this.problem = problem;
  }

  /** What is wrong with giving it, and what to do. */
  String problem() {
    return problem;
  }

  /** A file that {@code torch.save} wrote is {@link #OTHER}: look for its pickle. */
  static ZipContent of(Set<String> names) {
    if (names.stream().anyMatch(ZipContent::isScript)) {
      return TORCH_SCRIPT;
    }
    if (names.contains("model.weights.h5")) {
      return KERAS;
    }
    if (!names.isEmpty() && names.stream().allMatch(name -> name.endsWith(".npy"))) {
      return NUMPY;
    }
    return names.stream().anyMatch(name -> name.endsWith(".mlmodel")) ? CORE_ML : OTHER;
  }

  private static boolean isScript(String name) {
    return name.endsWith("/constants.pkl") || name.equals("constants.pkl") || isCode(name);
  }

  private static boolean isCode(String name) {
    return name.matches("[^/]*/?code/.*\\.py(\\.debug_pkl)?");
  }
}

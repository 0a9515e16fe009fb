package org.hast4j.source.torch;

import java.util.Map;
import org.hast4j.io.CorruptFileException;
import org.hast4j.source.torch.Pickled.Dict;
import org.hast4j.source.torch.Pickled.Global;
import org.hast4j.source.torch.Pickled.Opaque;
import org.hast4j.source.torch.Pickled.Sequence;
import org.hast4j.source.torch.Pickled.Storage;
import org.hast4j.source.torch.Pickled.Tensor;

/**
 * The few functions and classes whose calls in a pickle mean something here: those that make
 * tensors, and dictionaries for them. All other calls stay what they are, a name and arguments.
 */
final class Rebuilders {
  /** PyTorch's own bound. */
  private static final int MAX_RANK = 64;

  private final PickleInput input;

  Rebuilders(PickleInput input) {
    this.input = input;
  }

  /** What a call gives; it is {@link Opaque} for everything that is not in the list. */
  Object call(Object callable, Sequence arguments) {
    return callable instanceof Global global
        ? call(global, arguments)
        : new Opaque(callable, arguments);
  }

  private Object call(Global function, Sequence arguments) {
    return switch (function.toString()) {
      case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2" ->
          tensor(arguments, storage(arguments).type());
      case "torch._utils._rebuild_tensor_v3" -> tensor(arguments, constant(arguments.item(6)));
      case "torch._utils._rebuild_parameter",
          "torch._utils._rebuild_parameter_with_state",
          "torch.nn.parameter.Parameter",
          "torch.nn.parameter.Buffer",
          "torch.autograd.variable.Variable" ->
          arguments.item(0) instanceof Tensor tensor ? tensor : new Opaque(function, arguments);
      // Subclasses of tensors, and tensors with attributes: function, class, arguments, state.
      case "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2" ->
          arguments.item(0) instanceof Global inner
                  && !inner.name().startsWith("_rebuild_from_type")
                  && arguments.item(2) instanceof Sequence innerArguments
              ? call(inner, innerArguments)
              : new Opaque(function, arguments);
      case "torch._utils._rebuild_qtensor" ->
          throw input.corrupt(
              "holds quantised tensors (" + function + "); save the network before quantisation");
      case "torch._utils._rebuild_wrapper_subclass" ->
          throw input.corrupt(
              "holds tensors of a class that wraps others ("
                  + function
                  + "), as distributed or quantised ones are; turn them into plain tensors and"
                  + " save model.state_dict() again");
      case "torch.Size" ->
          arguments.item(0) instanceof Sequence sizes ? sizes : new Opaque(function, arguments);
      case "collections.OrderedDict", "builtins.dict", "__builtin__.dict" -> dict(arguments);
      // Their first argument is the class.
      case "copyreg.__newobj__", "copy_reg._reconstructor", "copyreg._reconstructor" ->
          new Opaque(arguments.item(0), arguments);
      default -> new Opaque(function, arguments);
    };
  }

  /** Of a sequence of pairs, or of nothing. */
  private static Dict dict(Sequence arguments) {
    Dict dict = new Dict();
    if (arguments.item(0) instanceof Sequence pairs) {
      for (Object item : pairs.items()) {
        if (item instanceof Sequence pair) {
          dict.put(pair.item(0), pair.item(1));
        }
      }
    }
    return dict;
  }

  private Storage storage(Sequence arguments) {
    if (arguments.item(0) instanceof Storage storage) {
      return storage;
    }
    throw input.corrupt("rebuilds a tensor from something else than a storage");
  }

  private ElementType constant(Object dtype) {
    if (dtype instanceof Global global) {
      return ElementType.ofConstant(global)
          .orElseThrow(() -> input.corrupt("has tensors of the unknown type " + dtype));
    }
    throw input.corrupt("rebuilds a tensor without its type");
  }

  /** Of a storage, an offset, sizes and strides. */
  private Tensor tensor(Sequence arguments, ElementType type) {
    Storage storage = storage(arguments);
    long[] sizes = numbers(arguments.item(2), "sizes");
    long[] strides = numbers(arguments.item(3), "strides");
    if (sizes.length != strides.length) {
      throw input.corrupt(
          "has a tensor with %d sizes and %d strides".formatted(sizes.length, strides.length));
    }
    if (!(arguments.item(1) instanceof Long offset) || offset < 0) {
      throw input.corrupt("has a tensor without an offset, or with a negative one");
    }
    requireWithin(storage, type, offset, sizes, strides);
    return new Tensor(type, storage, offset, sizes, strides);
  }

  private long[] numbers(Object value, String what) {
    if (!(value instanceof Sequence sequence)) {
      throw input.corrupt("has a tensor without " + what);
    }
    // Before they are copied: many tensors can share what they copy.
    if (sequence.items().size() > MAX_RANK) {
      throw input.corrupt("has a tensor of " + sequence.items().size() + " dimensions");
    }
    long[] numbers = new long[sequence.items().size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(sequence.item(i) instanceof Long number) || number < 0) {
        throw input.corrupt("has a tensor whose " + what + " are no numbers, or negative");
      }
      numbers[i] = number;
    }
    return numbers;
  }

  /** The products of what a file says overflow where it lies. */
  private void requireWithin(
      Storage storage, ElementType type, long offset, long[] sizes, long[] strides) {
    // The length counts elements of the storage's own type, which may be bytes.
    long available = storage.length() * storage.type().bytes() / type.bytes();
    try {
      long elements = 1;
      long last = offset;
      for (int d = 0; d < sizes.length; d++) {
        elements = Math.multiplyExact(elements, sizes[d]);
        last = Math.addExact(last, Math.multiplyExact(Math.max(sizes[d] - 1, 0), strides[d]));
      }
      if (elements == 0 || last < available) {
        return;
      }
    } catch (ArithmeticException e) {
      throw outside(storage, available, e);
    }
    throw outside(storage, available, null);
  }

  private CorruptFileException outside(Storage storage, long available, Throwable cause) {
    return new CorruptFileException(
        input.file(),
        "has a tensor that reaches beyond the %d values of storage \"%s\""
            .formatted(available, Description.cleaned(storage.key())),
        cause);
  }

  /** A tensor's storage, or the class of a pickled module, by what stands for it in a pickle. */
  Object persistent(Object id, Map<String, Storage> storages) {
    if (!(id instanceof Sequence sequence)) {
      throw input.corrupt("names what lies outside its pickle in an unknown way");
    }
    if ("module".equals(sequence.item(0))) {
      return sequence.item(1);
    }
    if (!"storage".equals(sequence.item(0))
        || !(sequence.item(1) instanceof Global typeName)
        || !(sequence.item(2) instanceof String key)
        || !(sequence.item(4) instanceof Long elements)) {
      throw input.corrupt("names what lies outside its pickle in an unknown way");
    }
    ElementType type =
        ElementType.ofStorage(typeName)
            .orElseThrow(
                () ->
                    input.corrupt(
                        "has tensors in a "
                            + Description.of(typeName)
                            + ", which is not known; save them as float32"));
    if (elements < 0 || elements > Long.MAX_VALUE / type.bytes()) {
      throw input.corrupt("has a storage of " + elements + " values");
    }
    Storage whole = new Storage(type, key, elements, 0, elements);
    storages.putIfAbsent(key, whole);
    return sequence.item(5) instanceof Sequence view ? part(whole, view) : whole;
  }

  /** Of the view's own key, its offset and its length, as the first versions of PyTorch write. */
  private Storage part(Storage whole, Sequence view) {
    if (!(view.item(1) instanceof Long start)
        || !(view.item(2) instanceof Long length)
        || start < 0
        || length < 0
        || start > whole.elements()
        || length > whole.elements() - start) {
      throw input.corrupt(
          "has a view beyond the %d values of storage \"%s\""
              .formatted(whole.elements(), Description.cleaned(whole.key())));
    }
    return new Storage(whole.type(), whole.key(), whole.elements(), start, length);
  }
}

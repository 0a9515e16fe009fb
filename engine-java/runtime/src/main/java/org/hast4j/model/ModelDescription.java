package org.hast4j.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Json;

/**
 * What a file says of a network beside its tensors, as JSON: docs/format.md has the fields.
 *
 * @param normalization how the input is normalized; empty where the file leaves that to its reader
 * @param resize how pictures get the input's size, as far as the file says it
 * @param classNames of every class, in their order; empty where the file does not say them
 */
public record ModelDescription(
    Model model, Optional<Normalization> normalization, Resize resize, List<String> classNames) {
  /** The version that is written, and the latest that is read. */
  public static final int FORMAT = 1;

  /**
   * @throws RefusedException if the normalization has not the input's channels, pictures would be
   *     too small, or there is another number of classes than names
   */
  public ModelDescription {
    resize.check(model.input());
    classNames = List.copyOf(classNames);
    if (!classNames.isEmpty() && classNames.size() != model.classes()) {
      throw new RefusedException(
          "%s tells %d classes apart, there are names of %d"
              .formatted(model.name(), model.classes(), classNames.size()));
    }
    normalization.ifPresent(
        given -> {
          if (given.channels() != model.input().channels()) {
            throw new RefusedException(
                "%s takes images of %d channels, the normalization has %d"
                    .formatted(model.name(), model.input().channels(), given.channels()));
          }
        });
  }

  /** One of a network whose pictures are resized as usual, and whose classes have no names. */
  public ModelDescription(Model model, Optional<Normalization> normalization) {
    this(model, normalization, Resize.USUAL, List.of());
  }

  /**
   * Reads what {@link #json} wrote, or people did.
   *
   * @param place what messages call the text
   * @throws RefusedException saying where it is wrong, or of a newer version
   */
  public static ModelDescription parse(String text, String place) {
    return JsonFields.parse(text, place).as(ModelDescription::read);
  }

  private static ModelDescription read(JsonFields fields) {
    int format = fields.integer("format");
    if (format < 1 || format > FORMAT) {
      throw new RefusedException(
          "it is of format %d, this program reads up to %d: a newer one wrote it"
              .formatted(format, FORMAT));
    }
    String name = fields.text("name");
    JsonFields input = fields.fields("input");
    Model.Input images = input.as(ModelDescription::input);
    Optional<Normalization> normalization = input.as(ModelDescription::normalization);
    Resize resize = input.as(ModelDescription::resize);
    List<Layer> layers =
        fields.list("layers").stream().map(layer -> layer.as(ModelDescription::layer)).toList();
    return new ModelDescription(
        new Model(name, images, layers, fields.text("output")),
        normalization,
        resize,
        fields.has("classes") ? fields.texts("classes") : List.of());
  }

  private static Model.Input input(JsonFields fields) {
    // Read apart.
    fields.has("mean");
    fields.has("std");
    fields.has("resize");
    fields.has("interpolation");
    return new Model.Input(
        fields.has("name") ? fields.text("name") : Model.IMAGE,
        fields.integer("height"),
        fields.integer("width"),
        fields.integer("channels"));
  }

  private static Optional<Normalization> normalization(JsonFields fields) {
    return fields.has("mean") || fields.has("std")
        ? Optional.of(new Normalization(fields.numbers("mean"), fields.numbers("std")))
        : Optional.empty();
  }

  private static Resize resize(JsonFields fields) {
    return new Resize(
        fields.has("resize")
            ? Optional.of(Resize.Extent.parse(fields.scalar("resize")))
            : Optional.empty(),
        fields.has("interpolation")
            ? Optional.of(Resize.Interpolation.parse(fields.text("interpolation")))
            : Optional.empty());
  }

  private static Layer layer(JsonFields fields) {
    return new Layer(fields.text("name"), OperatorJson.read(fields), fields.texts("inputs"));
  }

  /**
   * The JSON, the same for equal values.
   *
   * @param indented whether it is for people to read
   */
  public String json(boolean indented) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("format", FORMAT);
    json.put("name", model.name());
    Map<String, Object> input = new LinkedHashMap<>();
    input.put("name", model.input().name());
    input.put("height", model.input().height());
    input.put("width", model.input().width());
    input.put("channels", model.input().channels());
    normalization.ifPresent(
        given -> {
          input.put("mean", list(given.mean()));
          input.put("std", list(given.std()));
        });
    resize.extent().ifPresent(given -> input.put("resize", json(given)));
    resize.interpolation().ifPresent(given -> input.put("interpolation", given.toString()));
    json.put("input", input);
    List<Object> layers = new ArrayList<>();
    for (Layer layer : model.layers()) {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("name", layer.name());
      object.put("inputs", layer.inputs());
      OperatorJson.write(object, layer.op());
      layers.add(object);
    }
    json.put("layers", layers);
    json.put("output", model.output());
    if (!classNames.isEmpty()) {
      json.put("classes", classNames);
    }
    return Json.text(json, indented);
  }

  private static Object json(Resize.Extent extent) {
    return switch (extent) {
      case Resize.ShorterSide side -> side.pixels();
      case Resize.Squash squash -> squash.toString();
    };
  }

  private static List<Float> list(float[] values) {
    List<Float> list = new ArrayList<>();
    for (float value : values) {
      list.add(value);
    }
    return list;
  }
}

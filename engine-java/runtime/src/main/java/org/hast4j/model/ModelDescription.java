package org.hast4j.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;

/**
 * What a file says of a network beside its tensors, as JSON: docs/format.md has the fields.
 *
 * @param normalization how the input is normalized; empty where the file leaves that to its reader
 */
public record ModelDescription(Model model, Optional<Normalization> normalization) {
  /** The version that is written, and the latest that is read. */
  public static final int FORMAT = 1;

  /**
   * @throws RefusedException if the normalization has not the input's channels
   */
  public ModelDescription {
    normalization.ifPresent(
        given -> {
          if (given.channels() != model.input().channels()) {
            throw new RefusedException(
                "%s takes images of %d channels, the normalization has %d"
                    .formatted(model.name(), model.input().channels(), given.channels()));
          }
        });
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
    List<Layer> layers =
        fields.list("layers").stream().map(layer -> layer.as(ModelDescription::layer)).toList();
    return new ModelDescription(
        new Model(name, images, layers, fields.text("output")), normalization);
  }

  private static Model.Input input(JsonFields fields) {
    // Read apart.
    fields.has("mean");
    fields.has("std");
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

  private static Layer layer(JsonFields fields) {
    return new Layer(fields.text("name"), OperatorJson.read(fields), fields.texts("inputs"));
  }

  /**
   * The JSON, the same for equal values.
   *
   * @param indented whether it is for people to read
   */
  public String json(boolean indented) {
    ObjectNode json = JsonFields.object().put("format", FORMAT).put("name", model.name());
    ObjectNode input =
        json.putObject("input")
            .put("name", model.input().name())
            .put("height", model.input().height())
            .put("width", model.input().width())
            .put("channels", model.input().channels());
    normalization.ifPresent(
        given -> {
          put(input.putArray("mean"), given.mean());
          put(input.putArray("std"), given.std());
        });
    ArrayNode layers = json.putArray("layers");
    for (Layer layer : model.layers()) {
      ObjectNode object = layers.addObject().put("name", layer.name());
      ArrayNode inputs = object.putArray("inputs");
      layer.inputs().forEach(inputs::add);
      OperatorJson.write(object, layer.op());
    }
    json.put("output", model.output());
    return JsonFields.text(json, indented);
  }

  private static void put(ArrayNode array, float[] values) {
    for (float value : values) {
      array.add(value);
    }
  }
}

package org.hast4j.exec;

import org.hast4j.graph.Random;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.CropBoxesFwdI32;
import org.hast4j.kernel.abi.CropFlipBwd;
import org.hast4j.kernel.abi.CropFlipFwd;
import org.hast4j.kernel.abi.GatherLabelsFwdI32;
import org.hast4j.kernel.abi.PhiloxLabelsFwdI32;
import org.hast4j.kernel.abi.PhiloxNormalFwd;
import org.hast4j.kernel.abi.ShiftBoxesFwdI32;
import org.hast4j.tensor.Shape;

/** Kernels of random numbers and of the choice of samples. */
final class RandomLowering {
  private RandomLowering() {}

  static Launch launch(Random operation, BoundStep step) {
    KernelLibrary library = step.library();
    return switch (operation) {
      case Random.PhiloxNormal op ->
          new PhiloxNormalFwd(library)
              .y(step.out(0))
              .key(step.in(0))
              .n(op.type().shape().elements())
              .draw(op.draw());
      case Random.PhiloxLabels op ->
          new PhiloxLabelsFwdI32(library)
              .y(step.out(0))
              .key(step.in(0))
              .n(op.count())
              .classes(op.classes())
              .draw(op.draw());
      case Random.Boxes op -> boxes(op, step);
      case Random.CropFlip op -> {
        Shape images = step.shape(0);
        yield new CropFlipFwd(library)
            .y(step.out(0))
            .images(step.in(0))
            .boxes(step.in(1))
            .n(step.shape(1).size(0))
            .imagesCount(images.size(0))
            .height(images.size(1))
            .width(images.size(2))
            .channels(images.size(3))
            .outHeight(op.height())
            .outWidth(op.width());
      }
      case Random.GatherLabels _ ->
          new GatherLabelsFwdI32(library)
              .labels(step.out(0))
              .allLabels(step.in(0))
              .boxes(step.in(1))
              .n(step.shape(1).size(0))
              .images(step.elements(0));
      case Random.CropFlipGrad op -> {
        Shape images = op.images().shape();
        yield new CropFlipBwd(library)
            .dimages(step.out(0))
            .dy(step.in(0))
            .boxes(step.in(1))
            .n(images.size(0))
            .height(images.size(1))
            .width(images.size(2))
            .channels(images.size(3))
            .outHeight(step.shape(0).size(1))
            .outWidth(step.shape(0).size(2));
      }
    };
  }

  private static Launch boxes(Random.Boxes op, BoundStep step) {
    boolean ordered = step.node().inputs().size() == 3;
    long order = step.inIf(ordered, 2);
    long orderCount = ordered ? step.elements(2) : 0;
    Shape images = step.shape(1);
    return switch (op.augmentation()) {
      case Random.Augmentation.ResizedCrop crop ->
          new CropBoxesFwdI32(step.library())
              .boxes(step.out(0))
              .key(step.in(0))
              .order(order)
              .n(op.count())
              .images(images.size(0))
              .orderCount(orderCount)
              .height(images.size(1))
              .width(images.size(2))
              .scaleMin(crop.scaleMin())
              .scaleMax(crop.scaleMax())
              .ratioMin(crop.ratioMin())
              .ratioMax(crop.ratioMax())
              .draw(op.draw());
      case Random.Augmentation.Shift shift ->
          new ShiftBoxesFwdI32(step.library())
              .boxes(step.out(0))
              .key(step.in(0))
              .order(order)
              .n(op.count())
              .images(images.size(0))
              .orderCount(orderCount)
              .height(images.size(1))
              .width(images.size(2))
              .pad(shift.pad())
              .flip(shift.flip() ? 1 : 0)
              .draw(op.draw());
    };
  }
}

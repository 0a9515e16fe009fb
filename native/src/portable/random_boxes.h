// The boxes of the random crops, shared by the libraries: random.h says which Philox words a sample draws. In double;
// half to even where torchvision rounds.
#ifndef HAST_RANDOM_BOXES_H
#define HAST_RANDOM_BOXES_H

#include <cmath>
#include <cstdint>

#include "philox.h"
#include "portable.h"

namespace hast {

constexpr int64_t kBoxFields = 6;
constexpr int64_t kBlocksPerSample = 48;
constexpr int64_t kBlocksPerAttempt = 4;
constexpr int kAttempts = 10;
constexpr int64_t kChoiceBlock = kBlocksPerAttempt * kAttempts;  // flip and image

// Which image a sample takes.
struct Choice {
  const int32_t* order;
  int64_t n, images, order_count;

  bool valid() const { return n >= 1 && images >= 1 && (order == nullptr || order_count >= 1); }
};

// RandomResizedCrop.
struct Resize {
  double height, width, scale_min, scale_max, ratio_min, ratio_max, log_ratio_min, log_ratio_max;

  Resize(int64_t height, int64_t width, float scale_min, float scale_max, float ratio_min, float ratio_max)
      : height(static_cast<double>(height)),
        width(static_cast<double>(width)),
        scale_min(scale_min),
        scale_max(scale_max),
        ratio_min(ratio_min),
        ratio_max(ratio_max),
        log_ratio_min(std::log(this->ratio_min)),
        log_ratio_max(std::log(this->ratio_max)) {}

  bool valid() const {
    return height >= 1 && width >= 1 && scale_min > 0 && scale_max >= scale_min && ratio_min > 0 &&
           ratio_max >= ratio_min;
  }
};

// The shifted crop of CIFAR training.
struct Shift {
  int64_t height, width, pad;
  bool flip;

  bool valid() const { return height >= 1 && width >= 1 && pad >= 0; }
};

HAST_PORTABLE inline void write_box(int32_t* box, int64_t top, int64_t left, int64_t height, int64_t width) {
  box[1] = static_cast<int32_t>(top);
  box[2] = static_cast<int32_t>(left);
  box[3] = static_cast<int32_t>(height);
  box[4] = static_cast<int32_t>(width);
}

// The largest centred box of an allowed aspect.
HAST_PORTABLE inline void write_fallback(int32_t* box, const Resize& resize) {
  const double ratio = resize.width / resize.height;
  const double tall = ratio < resize.ratio_min ? std::rint(resize.width / resize.ratio_min) : resize.height;
  const double wide = ratio > resize.ratio_max ? std::rint(resize.height * resize.ratio_max) : resize.width;
  // A ratio of one pixel or less rounds to an empty box; the bilinear gather needs a pixel.
  const int64_t height = tall < 1 ? 1 : static_cast<int64_t>(tall);
  const int64_t width = wide < 1 ? 1 : static_cast<int64_t>(wide);
  write_box(box, (static_cast<int64_t>(resize.height) - height) / 2, (static_cast<int64_t>(resize.width) - width) / 2,
            height, width);
}

HAST_PORTABLE inline void write_image_and_flip(int32_t* box, const Draw& random, const Choice& choice, int64_t i,
                                               bool flip) {
  const Words words = random.block(kBlocksPerSample * i + kChoiceBlock);
  if (choice.order != nullptr) {
    const uint64_t position = random.step * static_cast<uint64_t>(choice.n) + static_cast<uint64_t>(i);
    box[0] = choice.order[position % static_cast<uint64_t>(choice.order_count)];
  } else {
    box[0] = static_cast<int32_t>(below(words.word[1], choice.images));
  }
  box[5] = flip ? static_cast<int32_t>(words.word[0] >> 31) : 0;
}

HAST_PORTABLE inline void write_sample(int32_t* box, const Draw& random, const Choice& choice, int64_t i,
                                       const Resize& resize) {
  write_image_and_flip(box, random, choice, i, true);
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const Words words = random.block(kBlocksPerSample * i + kBlocksPerAttempt * attempt);
    const double share = resize.scale_min + (resize.scale_max - resize.scale_min) * uniform(words.word[0]);
    const double area = share * resize.height * resize.width;
    const double aspect =
        std::exp(resize.log_ratio_min + (resize.log_ratio_max - resize.log_ratio_min) * uniform(words.word[1]));
    const double width = std::rint(std::sqrt(area * aspect));
    const double height = std::rint(std::sqrt(area / aspect));
    if (width > 0 && width <= resize.width && height > 0 && height <= resize.height) {
      write_box(box, below(words.word[2], static_cast<int64_t>(resize.height - height) + 1),
                below(words.word[3], static_cast<int64_t>(resize.width - width) + 1), static_cast<int64_t>(height),
                static_cast<int64_t>(width));
      return;
    }
  }
  write_fallback(box, resize);
}

HAST_PORTABLE inline void write_sample(int32_t* box, const Draw& random, const Choice& choice, int64_t i,
                                       const Shift& shift) {
  write_image_and_flip(box, random, choice, i, shift.flip);
  const Words words = random.block(kBlocksPerSample * i);
  const int64_t places = 2 * shift.pad + 1;
  write_box(box, below(words.word[0], places) - shift.pad, below(words.word[1], places) - shift.pad, shift.height,
            shift.width);
}

}  // namespace hast

#endif

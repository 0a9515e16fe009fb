// Boxes of the random crops: torchvision's RandomResizedCrop, and the shifted crop of CIFAR training.
//
// random.h says which Philox words a sample draws. Evaluated in double; half to even where torchvision rounds.
#include <hast/random.h>

#include <cmath>

#include "kernel.h"
#include "philox.h"

using namespace hast;

namespace {

constexpr int64_t kBlocksPerSample = 48;
constexpr int64_t kBlocksPerAttempt = 4;
constexpr int kAttempts = 10;
constexpr int64_t kChoiceBlock = kBlocksPerAttempt * kAttempts;  // flip and image

struct Box {
  int64_t top, left, height, width;
};

struct Crops {
  double height, width, scale_min, scale_max, ratio_min, ratio_max;
};

Box resized_crop(const Draw& random, int64_t first_block, const Crops& crops) {
  const double log_min = std::log(crops.ratio_min);
  const double log_max = std::log(crops.ratio_max);
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const Words words = random.block(first_block + kBlocksPerAttempt * attempt);
    const double share = crops.scale_min + (crops.scale_max - crops.scale_min) * uniform(words.word[0]);
    const double area = share * crops.height * crops.width;
    const double aspect = std::exp(log_min + (log_max - log_min) * uniform(words.word[1]));
    const double width = std::rint(std::sqrt(area * aspect));
    const double height = std::rint(std::sqrt(area / aspect));
    if (width > 0 && width <= crops.width && height > 0 && height <= crops.height) {
      return {below(words.word[2], static_cast<int64_t>(crops.height - height) + 1),
              below(words.word[3], static_cast<int64_t>(crops.width - width) + 1), static_cast<int64_t>(height),
              static_cast<int64_t>(width)};
    }
  }
  double width = crops.width;
  double height = crops.height;
  const double ratio = width / height;
  if (ratio < crops.ratio_min) height = std::rint(width / crops.ratio_min);
  if (ratio > crops.ratio_max) width = std::rint(height * crops.ratio_max);
  // A ratio of one pixel or less rounds to an empty box; the bilinear gather needs a pixel.
  const Box box{0, 0, larger(1, static_cast<int64_t>(height)), larger(1, static_cast<int64_t>(width))};
  return {(static_cast<int64_t>(crops.height) - box.height) / 2, (static_cast<int64_t>(crops.width) - box.width) / 2,
          box.height, box.width};
}

// The image and the flip of sample i, shared by both kinds of box.
void choose(int32_t* box, const Words& words, const int64_t* key, const int32_t* order, int64_t i, int64_t n,
            int64_t images, int64_t order_count, bool flip) {
  if (order != nullptr) {
    const uint64_t position = static_cast<uint64_t>(key[1]) * static_cast<uint64_t>(n) + static_cast<uint64_t>(i);
    box[0] = order[position % static_cast<uint64_t>(order_count)];
  } else {
    box[0] = static_cast<int32_t>(below(words.word[1], images));
  }
  box[5] = flip ? static_cast<int32_t>(words.word[0] >> 31) : 0;
}

void write(int32_t* box, const Box& b) {
  box[1] = static_cast<int32_t>(b.top);
  box[2] = static_cast<int32_t>(b.left);
  box[3] = static_cast<int32_t>(b.height);
  box[4] = static_cast<int32_t>(b.width);
}

bool good_sizes(int64_t n, int64_t images, const int32_t* order, int64_t order_count, int64_t height, int64_t width) {
  return !any_below_one(n, images, height, width) && (order == nullptr || order_count >= 1);
}

}  // namespace

int32_t hast_crop_boxes_fwd_i32(int32_t* boxes, const int64_t* key, const int32_t* order, int64_t n, int64_t images,
                                int64_t order_count, int64_t height, int64_t width, float scale_min, float scale_max,
                                float ratio_min, float ratio_max, int32_t draw, void* stream) noexcept {
  if (any_null(boxes) || key == nullptr || stream == nullptr) return HAST_EARGUMENT;
  if (!good_sizes(n, images, order, order_count, height, width)) return HAST_EARGUMENT;
  if (!(scale_min > 0.0f && scale_max >= scale_min && ratio_min > 0.0f && ratio_max >= ratio_min))
    return HAST_EARGUMENT;
  const Draw random(key, draw);
  const Crops crops{static_cast<double>(height),    static_cast<double>(width),     static_cast<double>(scale_min),
                    static_cast<double>(scale_max), static_cast<double>(ratio_min), static_cast<double>(ratio_max)};
  parallel_for(stream, ceil_div(n, 64), [&](int64_t piece, int32_t) {
    for (int64_t i = piece * 64; i < smaller(n, piece * 64 + 64); i++) {
      write(boxes + 6 * i, resized_crop(random, kBlocksPerSample * i, crops));
      choose(boxes + 6 * i, random.block(kBlocksPerSample * i + kChoiceBlock), key, order, i, n, images, order_count,
             true);
    }
  });
  return HAST_OK;
}

int32_t hast_shift_boxes_fwd_i32(int32_t* boxes, const int64_t* key, const int32_t* order, int64_t n, int64_t images,
                                 int64_t order_count, int64_t height, int64_t width, int32_t pad, int32_t flip,
                                 int32_t draw, void* stream) noexcept {
  if (any_null(boxes) || key == nullptr || stream == nullptr || pad < 0) return HAST_EARGUMENT;
  if (!good_sizes(n, images, order, order_count, height, width)) return HAST_EARGUMENT;
  const Draw random(key, draw);
  parallel_for(stream, ceil_div(n, 64), [&](int64_t piece, int32_t) {
    for (int64_t i = piece * 64; i < smaller(n, piece * 64 + 64); i++) {
      const Words words = random.block(kBlocksPerSample * i);
      const int64_t places = 2 * static_cast<int64_t>(pad) + 1;
      write(boxes + 6 * i, {below(words.word[0], places) - pad, below(words.word[1], places) - pad, height, width});
      choose(boxes + 6 * i, random.block(kBlocksPerSample * i + kChoiceBlock), key, order, i, n, images, order_count,
             flip != 0);
    }
  });
  return HAST_OK;
}

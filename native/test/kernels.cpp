// Checks what a session calls, against the formulas of the headers worked out in double precision: for processors that
// no JDK runs on here. Prints a line for each function and ends with 1 if one is wrong.
#include <hast/hast.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using Floats = std::vector<float>;

std::mt19937 source(7);
void* stream;
bool all_right = true;

Floats normal(int64_t count) {
  std::normal_distribution<float> distribution;
  Floats values(count);
  for (float& value : values) value = distribution(source);
  return values;
}

// Reports the largest difference from what is expected, relative to 1 or the size of the sum that it is.
void report(const char* name, int32_t status, const Floats& actual, const std::vector<double>& expected,
            double tolerance) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    const double error = std::fabs(actual[i] - expected[i]) / std::fmax(1.0, std::fabs(expected[i]));
    worst = error <= worst ? worst : error;  // NaN is the worst
  }
  const bool right = status == HAST_OK && worst <= tolerance;
  all_right &= right;
  std::printf("%s %s: status %d, error %.2g of %.2g\n", right ? "right" : "WRONG", name, status, worst, tolerance);
}

struct Shape {
  int64_t n, h, w, c, k, r, s;
  int32_t groups;
  int32_t window[8];  // strides, padding top left bottom right, dilations
};

int64_t out(int64_t size, int64_t before, int64_t after, int64_t taps, int64_t stride, int64_t dilation) {
  return (size + before + after - 1 - (taps - 1) * dilation) / stride + 1;
}

void convolution(const char* name, const Shape& z) {
  const int32_t* win = z.window;
  const int64_t p = out(z.h, win[2], win[4], z.r, win[0], win[6]);
  const int64_t q = out(z.w, win[3], win[5], z.s, win[1], win[7]);
  const int64_t seen = z.c / z.groups, given = z.k / z.groups;
  const Floats x = normal(z.n * z.h * z.w * z.c), weight = normal(z.k * z.r * z.s * seen), bias = normal(z.k);
  Floats y(z.n * p * q * z.k);
  const int64_t bytes = hast_conv2d_workspace_bytes(z.n, z.h, z.w, z.c, z.k, z.r, z.s, z.groups, win, HAST_CONV_FWD);
  std::vector<double> workspace(bytes / 8 + 9);
  void* aligned = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(workspace.data()) + 63) / 64 * 64);
  const int32_t status =
      hast_conv2d_fwd_f32(y.data(), x.data(), weight.data(), bias.data(), bytes > 0 ? aligned : nullptr, bytes, z.n,
                          z.h, z.w, z.c, z.k, z.r, z.s, z.groups, win, stream);
  std::vector<double> expected(y.size());
  for (int64_t n = 0; n < z.n; n++)
    for (int64_t i = 0; i < p; i++)
      for (int64_t j = 0; j < q; j++)
        for (int64_t o = 0; o < z.k; o++) {
          double sum = bias[o];
          for (int64_t u = 0; u < z.r; u++)
            for (int64_t v = 0; v < z.s; v++) {
              const int64_t a = i * win[0] + u * win[6] - win[2], b = j * win[1] + v * win[7] - win[3];
              if (a < 0 || a >= z.h || b < 0 || b >= z.w) continue;
              for (int64_t c = 0; c < seen; c++)
                sum += static_cast<double>(x[((n * z.h + a) * z.w + b) * z.c + o / given * seen + c]) *
                       weight[((o * z.r + u) * z.s + v) * seen + c];
            }
          expected[((n * p + i) * q + j) * z.k + o] = sum;
        }
  report(name, status, y, expected, 1e-4);
}

// The headers' formula in float32, half to even: agreement is bit for bit.
float quantized(float x, float low, float high, int bits) {
  const float half = static_cast<float>(1 << (bits - 1));
  const float scale = static_cast<float>((1 << bits) - 1) / std::fmax(high - low, 1e-8f);
  const float zero = std::nearbyint(scale * low) + half;
  volatile float scaled = scale * x;  // no fused multiply-add
  const float level = std::fmin(std::fmax(std::nearbyint(scaled - zero), -half), half - 1);
  return (level + zero) / scale;
}

void fake_quantization() {
  const Floats x = normal(1003);
  for (int bits : {2, 3, 4, 8}) {
    const Floats range = {-1.25f, 2.5f};
    Floats y(x.size());
    std::vector<double> expected;
    const int32_t status = hast_fake_quant_fwd_f32(y.data(), x.data(), range.data(), x.size(), bits, stream);
    for (float value : x) expected.push_back(quantized(value, range[0], range[1], bits));
    report("fake_quant", status, y, expected, 0);
  }
}

void batch_norm() {
  const int64_t n = 2, hw = 35, c = 19;
  const float epsilon = 1e-5f;
  const Floats u = normal(n * hw * c), residual = normal(n * hw * c), gamma = normal(c), beta = normal(c);
  const Floats mean = normal(c), range = {0, 3};
  Floats variance = normal(c), y(u.size());
  for (float& value : variance) value = value * value + 0.1f;
  const int64_t bytes = hast_bn_act_fwd_workspace_bytes(n, hw, c);
  std::vector<double> workspace(bytes / 8 + 1);
  for (int bits : {0, 8}) {
    const int32_t status = hast_bn_act_fwd_f32(
        y.data(), nullptr, nullptr, nullptr, nullptr, u.data(), residual.data(), gamma.data(), beta.data(), mean.data(),
        variance.data(), bits > 0 ? range.data() : nullptr, bytes > 0 ? workspace.data() : nullptr, bytes, n, hw, c,
        epsilon, 0, INFINITY, bits > 0 ? bits : 8, 0, stream);
    std::vector<double> expected;
    for (size_t i = 0; i < u.size(); i++) {
      const int64_t at = i % c;
      const double v =
          (u[i] - static_cast<double>(mean[at])) * gamma[at] / std::sqrt(static_cast<double>(variance[at]) + epsilon) +
          beta[at] + residual[i];
      expected.push_back(std::fmin(std::fmax(v, 0), bits > 0 ? 3 : INFINITY));
    }
    // Half a level, where it is quantised.
    report("bn_act", status, y, expected, bits > 0 ? 0.51 * 3 / 255 : 1e-5);
  }
}

void linear() {
  const int64_t n = 3, inputs = 77, outputs = 13;
  const Floats x = normal(n * inputs), weight = normal(outputs * inputs), bias = normal(outputs);
  Floats y(n * outputs);
  std::vector<double> expected;
  for (int64_t i = 0; i < n * outputs; i++) {
    double sum = bias[i % outputs];
    for (int64_t k = 0; k < inputs; k++)
      sum += static_cast<double>(x[i / outputs * inputs + k]) * weight[i % outputs * inputs + k];
    expected.push_back(sum);
  }
  const int32_t status =
      hast_linear_fwd_f32(y.data(), x.data(), weight.data(), bias.data(), n, inputs, outputs, stream);
  report("linear", status, y, expected, 1e-5);
}

void pools() {
  const int64_t n = 2, h = 7, w = 6, c = 21;
  const Floats x = normal(n * h * w * c);
  Floats mean(n * c), largest(n * 4 * 3 * c);
  std::vector<uint8_t> index(largest.size());
  std::vector<double> means(mean.size()), maxima(largest.size(), -INFINITY);
  for (size_t i = 0; i < x.size(); i++) {
    const int64_t image = i / (h * w * c), row = i / (w * c) % h, column = i / c % w;
    means[image * c + i % c] += x[i] / static_cast<double>(h * w);
    for (int64_t p = 0; p < 4; p++)
      for (int64_t q = 0; q < 3; q++)
        if (std::llabs(row - 2 * p) <= 1 && std::llabs(column - 2 * q) <= 1) {
          double& most = maxima[((image * 4 + p) * 3 + q) * c + i % c];
          most = std::fmax(most, x[i]);
        }
  }
  report("global_avg_pool", hast_global_avg_pool_fwd_f32(mean.data(), x.data(), n, h * w, c, stream), mean, means,
         1e-5);
  const int32_t window[8] = {2, 2, 1, 1, 1, 1, 1, 1};
  report("max_pool", hast_max_pool_fwd_f32(largest.data(), index.data(), x.data(), n, h, w, c, 3, 3, window, stream),
         largest, maxima, 0);
}

void all(int threads) {
  if (hast_stream_create(&stream, 0, threads, 0) != HAST_OK) {
    std::printf("WRONG stream of %d threads\n", threads);
    all_right = false;
    return;
  }
  convolution("conv2d 3x3", {2, 9, 8, 16, 32, 3, 3, 1, {1, 1, 1, 1, 1, 1, 1, 1}});
  convolution("conv2d 3x3, odd channels", {1, 5, 11, 7, 5, 3, 3, 1, {1, 1, 1, 1, 1, 1, 1, 1}});
  convolution("conv2d 3x3, stride 2", {2, 9, 8, 16, 24, 3, 3, 1, {2, 2, 1, 1, 1, 1, 1, 1}});
  convolution("conv2d 1x1", {2, 6, 6, 33, 20, 1, 1, 1, {1, 1, 0, 0, 0, 0, 1, 1}});
  convolution("conv2d groups, padding on one side, dilated", {1, 10, 9, 12, 8, 3, 2, 4, {1, 2, 0, 1, 2, 0, 2, 1}});
  convolution("conv2d 7x7 of an image", {1, 20, 20, 3, 8, 7, 7, 1, {2, 2, 3, 3, 3, 3, 1, 1}});
  batch_norm();
  fake_quantization();
  linear();
  pools();
  hast_stream_destroy(stream);
}

}  // namespace

int main() {
  all(1);
  all(2);
  return all_right ? 0 : 1;
}

// Stands in for libcudnn_cnn.so.9: convolutions, all algorithms one sum in double. Which algorithm takes which shape,
// and how much workspace it wants, is a plausible invention; what is checked is what the documentation asks for.
#include "cudnn.h"

using namespace hast::stand_in;

namespace {

enum class Direction { kForward, kData, kFilter };

// The sizes of x, w and y that belong together.
struct Shape {
  int n, c, h, w, k, r, s, p, q;
  Convolution conv;

  int group_c() const { return c / conv.groups; }
  size_t x_count() const { return size_t(n) * size_t(h) * size_t(w) * size_t(c); }
  size_t w_count() const { return size_t(k) * size_t(r) * size_t(s) * size_t(group_c()); }
  size_t y_count() const { return size_t(n) * size_t(p) * size_t(q) * size_t(k); }
  bool strides_and_dilations_are_1() const {
    return conv.stride_h == 1 && conv.stride_w == 1 && conv.dilation_h == 1 && conv.dilation_w == 1;
  }
  bool filter_is(int size) const { return r == size && s == size; }
};

// The documented size of an output.
int output(int in, int pad, int filter, int dilation, int stride) {
  return 1 + (in + 2 * pad - (1 + (filter - 1) * dilation)) / stride;
}

cudnnStatus_t shape_of(Shape& shape, const cudnnTensorStruct* x, const cudnnFilterStruct* w,
                       const cudnnConvolutionStruct* convolution, const cudnnTensorStruct* y) {
  if (x == nullptr || w == nullptr || convolution == nullptr || y == nullptr) return kNullPointer;
  const Convolution& conv = convolution->settings;
  if (x->count() == 0 || w->count() == 0 || y->count() == 0 || conv.stride_h == 0) return kBadParam;
  shape = {x->n, x->c, x->h, x->w, w->k, w->h, w->w, y->h, y->w, conv};
  const bool fits = w->c * conv.groups == x->c && w->k % conv.groups == 0 && y->n == x->n && y->c == w->k &&
                    y->h == output(x->h, conv.pad_h, w->h, conv.dilation_h, conv.stride_h) &&
                    y->w == output(x->w, conv.pad_w, w->w, conv.dilation_w, conv.stride_w);
  return fits ? kSuccess : kShapeMismatch;
}

// Bytes of workspace, for what an algorithm takes.
cudnnStatus_t workspace(size_t& bytes, Direction direction, int algorithm, const Shape& shape) {
  constexpr int kIndirect = 1, kExplicit = 2;  // CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM and _GEMM
  constexpr int kCounts[] = {8, 6, 7};
  constexpr int kWinograd[] = {6, 4, -1};  // a filter's is named and not implemented
  constexpr int kNonfused[] = {7, 5, 5};
  constexpr int kFilterAtomics = 3;  // CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3
  const int d = static_cast<int>(direction);
  if (algorithm < 0 || algorithm >= kCounts[d]) return kBadParam;
  if (algorithm == kWinograd[d]) {
    bytes = 0;
    return shape.filter_is(3) && shape.strides_and_dilations_are_1() ? kSuccess : kNotSupported;
  }
  if (algorithm == kNonfused[d]) {
    bytes = 16 * sizeof(float) * (size_t(shape.k) + size_t(shape.n)) * size_t(shape.c);
    return (shape.filter_is(3) || shape.filter_is(5)) && shape.strides_and_dilations_are_1() ? kSuccess : kNotSupported;
  }
  switch (direction) {
    case Direction::kForward:
      bytes = algorithm == kIndirect   ? sizeof(int) * size_t(shape.r) * size_t(shape.s) * size_t(shape.p) + 4
              : algorithm == kExplicit ? sizeof(float) * shape.y_count() / size_t(shape.k) * shape.w_count()
                                       : 0;
      return algorithm <= kExplicit ? kSuccess : kNotSupported;
    case Direction::kData:
      bytes = algorithm == 1 ? sizeof(float) * shape.w_count() : 0;
      return algorithm <= 1 ? kSuccess : kNotSupported;
    case Direction::kFilter:
      bytes = algorithm == 0 ? 0 : sizeof(float) * 2 * shape.w_count() + 12;
      return algorithm <= 1 || algorithm == kFilterAtomics ? kSuccess : kNotSupported;
  }
  return kBadParam;
}

cudnnStatus_t query(size_t* bytes, const cudnnContext* handle, Direction direction, int algorithm,
                    const cudnnTensorStruct* x, const cudnnFilterStruct* w, const cudnnConvolutionStruct* conv,
                    const cudnnTensorStruct* y) {
  if (bytes == nullptr || handle == nullptr) return kNullPointer;
  Shape shape;
  const cudnnStatus_t status = shape_of(shape, x, w, conv, y);
  return status != kSuccess ? status : workspace(*bytes, direction, algorithm, shape);
}

// Calls visit(index in x, index in w, index in y) for every group_c products of the convolution, of which x and w hold
// the factors side by side.
template <class Visit>
void each_product(const Shape& shape, Visit visit) {
  const Convolution& conv = shape.conv;
  for (int n = 0; n < shape.n; n++) {
    for (int p = 0; p < shape.p; p++) {
      for (int q = 0; q < shape.q; q++) {
        const size_t y = ((size_t(n) * size_t(shape.p) + size_t(p)) * size_t(shape.q) + size_t(q)) * size_t(shape.k);
        for (int r = 0; r < shape.r; r++) {
          const int h = p * conv.stride_h - conv.pad_h + r * conv.dilation_h;
          for (int s = 0; s < shape.s; s++) {
            const int w = q * conv.stride_w - conv.pad_w + s * conv.dilation_w;
            if (h < 0 || h >= shape.h || w < 0 || w >= shape.w) continue;
            const size_t x =
                ((size_t(n) * size_t(shape.h) + size_t(h)) * size_t(shape.w) + size_t(w)) * size_t(shape.c);
            for (int k = 0; k < shape.k; k++) {
              const size_t f =
                  ((size_t(k) * size_t(shape.r) + size_t(r)) * size_t(shape.s) + size_t(s)) * size_t(shape.group_c());
              const int group = k / (shape.k / conv.groups);
              visit(x + size_t(group) * size_t(shape.group_c()), f, y + size_t(k));
            }
          }
        }
      }
    }
  }
}

HAST_WIDE void convolve(Direction direction, const Shape& shape, const float* first, const float* second, float* result,
                        float alpha, float beta) {
  const bool rounded = shape.conv.math != kFmaMath;
  switch (direction) {
    case Direction::kForward: {
      const std::vector<double> x = factors(first, shape.x_count(), rounded);
      const std::vector<double> w = factors(second, shape.w_count(), rounded);
      std::vector<double> y(shape.y_count());
      each_product(shape, [&](size_t i, size_t f, size_t o) { y[o] += dot(&x[i], &w[f], shape.group_c()); });
      store(result, y, alpha, beta);
      break;
    }
    case Direction::kData: {
      const std::vector<double> w = factors(first, shape.w_count(), rounded);
      const std::vector<double> dy = factors(second, shape.y_count(), rounded);
      std::vector<double> dx(shape.x_count());
      each_product(shape, [&](size_t i, size_t f, size_t o) { add_scaled(&dx[i], dy[o], &w[f], shape.group_c()); });
      store(result, dx, alpha, beta);
      break;
    }
    case Direction::kFilter: {
      const std::vector<double> x = factors(first, shape.x_count(), rounded);
      const std::vector<double> dy = factors(second, shape.y_count(), rounded);
      std::vector<double> dw(shape.w_count());
      each_product(shape, [&](size_t i, size_t f, size_t o) { add_scaled(&dw[f], dy[o], &x[i], shape.group_c()); });
      store(result, dw, alpha, beta);
      break;
    }
  }
}

struct Span {
  const float* address;
  size_t count;
  size_t bytes() const { return count * sizeof(float); }
};

// Checks what the documentation asks for, and launches.
cudnnStatus_t launch(const cudnnContext* handle, Direction direction, int algorithm, const Shape& shape,
                     const float* alpha, Span first, Span second, float* scratch, size_t scratch_bytes,
                     const float* beta, float* result, size_t result_count) {
  if (handle == nullptr || handle->stream == nullptr || alpha == nullptr || beta == nullptr) return kNullPointer;
  size_t needed = 0;
  if (const cudnnStatus_t status = workspace(needed, direction, algorithm, shape)) return status;
  if (scratch_bytes < needed) return kWorkspaceTooSmall;
  CUstream_st& stream = *handle->stream;
  const Span written{result, result_count};
  for (const Span& span : {first, second, written}) {
    if (const cudnnStatus_t status = check_memory(stream, span.address, span.count)) return status;
  }
  if (needed > 0) {
    if (scratch == nullptr) return kNullPointer;
    if (!stream.holds(scratch, scratch_bytes)) return kOutOfBound;
  }
  for (const Span& span : {first, second}) {
    if (overlap(span.address, span.bytes(), result, written.bytes()) ||
        overlap(span.address, span.bytes(), scratch, needed)) {
      return kBadParam;
    }
  }
  if (overlap(result, written.bytes(), scratch, needed)) return kBadParam;
  // What alpha, beta and the descriptors say when the call is made is what counts.
  stream.enqueue([=, a = *alpha, b = *beta] {
    // As floats NaN: nobody else's values survive in a workspace.
    if (needed > 0) std::memset(scratch, 0xff, needed);
    convolve(direction, shape, first.address, second.address, result, a, b);
  });
  return kSuccess;
}

}  // namespace

HAST_EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionStruct** conv) {
  HAST_CALLED();
  if (conv == nullptr) return kNullPointer;
  *conv = new cudnnConvolutionStruct();
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionStruct* conv, int pad_h, int pad_w,
                                                          int stride_h, int stride_w, int dilation_h, int dilation_w,
                                                          int mode, int compute_type) {
  HAST_CALLED();
  if (conv == nullptr) return kNullPointer;
  if (pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1) return kBadParam;
  if (mode != kCrossCorrelation || compute_type != kFloat) return kNotSupported;
  const Convolution before = conv->settings;
  conv->settings = {pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, before.math, before.groups};
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionStruct* conv, int groups) {
  HAST_CALLED();
  if (conv == nullptr) return kNullPointer;
  if (groups < 1) return kBadParam;
  conv->settings.groups = groups;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionStruct* conv, int math) {
  HAST_CALLED();
  if (conv == nullptr) return kNullPointer;
  if (math < kDefaultMath || math > kFmaMath) return kBadParam;
  conv->settings.math = math;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionStruct* conv) {
  HAST_CALLED();
  if (conv == nullptr) return kNullPointer;
  delete conv;
  return kSuccess;
}

HAST_EXPORT cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    const cudnnContext* handle, const cudnnTensorStruct* x, const cudnnFilterStruct* w,
    const cudnnConvolutionStruct* conv, const cudnnTensorStruct* y, int algorithm, size_t* bytes) {
  HAST_CALLED();
  return query(bytes, handle, Direction::kForward, algorithm, x, w, conv, y);
}

HAST_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    const cudnnContext* handle, const cudnnFilterStruct* w, const cudnnTensorStruct* dy,
    const cudnnConvolutionStruct* conv, const cudnnTensorStruct* dx, int algorithm, size_t* bytes) {
  HAST_CALLED();
  return query(bytes, handle, Direction::kData, algorithm, dx, w, conv, dy);
}

HAST_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    const cudnnContext* handle, const cudnnTensorStruct* x, const cudnnTensorStruct* dy,
    const cudnnConvolutionStruct* conv, const cudnnFilterStruct* dw, int algorithm, size_t* bytes) {
  HAST_CALLED();
  return query(bytes, handle, Direction::kFilter, algorithm, x, dw, conv, dy);
}

HAST_EXPORT cudnnStatus_t cudnnConvolutionForward(const cudnnContext* handle, const float* alpha,
                                                  const cudnnTensorStruct* x_desc, const float* x,
                                                  const cudnnFilterStruct* w_desc, const float* w,
                                                  const cudnnConvolutionStruct* conv, int algorithm, float* workspace,
                                                  size_t workspace_bytes, const float* beta,
                                                  const cudnnTensorStruct* y_desc, float* y) {
  HAST_CALLED();
  Shape shape;
  if (const cudnnStatus_t status = shape_of(shape, x_desc, w_desc, conv, y_desc)) return status;
  return launch(handle, Direction::kForward, algorithm, shape, alpha, {x, shape.x_count()}, {w, shape.w_count()},
                workspace, workspace_bytes, beta, y, shape.y_count());
}

HAST_EXPORT cudnnStatus_t cudnnConvolutionBackwardData(const cudnnContext* handle, const float* alpha,
                                                       const cudnnFilterStruct* w_desc, const float* w,
                                                       const cudnnTensorStruct* dy_desc, const float* dy,
                                                       const cudnnConvolutionStruct* conv, int algorithm,
                                                       float* workspace, size_t workspace_bytes, const float* beta,
                                                       const cudnnTensorStruct* dx_desc, float* dx) {
  HAST_CALLED();
  Shape shape;
  if (const cudnnStatus_t status = shape_of(shape, dx_desc, w_desc, conv, dy_desc)) return status;
  return launch(handle, Direction::kData, algorithm, shape, alpha, {w, shape.w_count()}, {dy, shape.y_count()},
                workspace, workspace_bytes, beta, dx, shape.x_count());
}

HAST_EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(const cudnnContext* handle, const float* alpha,
                                                         const cudnnTensorStruct* x_desc, const float* x,
                                                         const cudnnTensorStruct* dy_desc, const float* dy,
                                                         const cudnnConvolutionStruct* conv, int algorithm,
                                                         float* workspace, size_t workspace_bytes, const float* beta,
                                                         const cudnnFilterStruct* dw_desc, float* dw) {
  HAST_CALLED();
  Shape shape;
  if (const cudnnStatus_t status = shape_of(shape, x_desc, dw_desc, conv, dy_desc)) return status;
  return launch(handle, Direction::kFilter, algorithm, shape, alpha, {x, shape.x_count()}, {dy, shape.y_count()},
                workspace, workspace_bytes, beta, dw, shape.w_count());
}

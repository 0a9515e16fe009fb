// Stands in for libcublasLt.so.13, declared from its documentation: products of float matrices, column-major. Which
// algorithms it advises is an invention; each is good for the one problem it was asked for.
#include "stand_in.h"

using namespace hast::stand_in;

namespace {

using Status = int32_t;
constexpr Status kSuccess = 0, kInvalidValue = 7, kNotSupported = 15;

constexpr int32_t kFloat = 0;                          // CUDA_R_32F
constexpr int32_t kCompute32 = 68, kComputeTf32 = 77;  // CUBLAS_COMPUTE_32F and CUBLAS_COMPUTE_32F_FAST_TF32
constexpr int32_t kNone = 0, kTransposed = 1;          // CUBLAS_OP_N and CUBLAS_OP_T
constexpr int32_t kDefaultEpilogue = 1, kBiasEpilogue = 4;
constexpr uint32_t kInPlace = 1;  // CUBLASLT_REDUCTION_SCHEME_INPLACE

// What an algorithm was asked for; the rest of its 64 bytes.
struct Problem {
  int32_t compute, transpose_a, transpose_b, epilogue;
  uint32_t m, n, k, alignment;

  bool operator==(const Problem& other) const { return std::memcmp(this, &other, sizeof(Problem)) == 0; }
};

}  // namespace

struct cublasLtContext : Object {};

struct cublasLtMatrixLayoutOpaque_t : Object {
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
  size_t span() const { return size_t(leading) * (columns - 1) + rows; }
};

struct cublasLtMatmulDescOpaque_t : Object {
  int32_t compute = kCompute32, transpose_a = kNone, transpose_b = kNone, epilogue = kDefaultEpilogue;
  const float* bias = nullptr;
};

struct cublasLtMatmulPreferenceOpaque_t : Object {
  uint64_t workspace_bytes = 0;
  uint32_t reductions = 7;  // CUBLASLT_REDUCTION_SCHEME_MASK
  uint32_t alignment[4] = {256, 256, 256, 256};
};

struct cublasLtMatmulAlgo_t {
  uint64_t id, workspace_bytes;
  Problem problem;
  uint64_t unused[2];
};

struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  Status state;
  float wavesCount;
  int32_t reserved[4];
};
static_assert(sizeof(cublasLtMatmulAlgo_t) == 64 && sizeof(cublasLtMatmulHeuristicResult_t) == 96);

namespace {

#define HAST_CALLED() \
  if (const Status failure = hast_stand_in_called(__func__)) return failure

template <class T>
Status create(T** slot) {
  if (slot == nullptr) return kInvalidValue;
  *slot = new T();
  return kSuccess;
}

template <class T>
Status destroy(T* object) {
  delete object;
  return object == nullptr ? kInvalidValue : kSuccess;
}

template <class T>
Status read(T& attribute, const void* from, size_t bytes) {
  if (from == nullptr || bytes != sizeof(T)) return kInvalidValue;
  std::memcpy(&attribute, from, bytes);
  return kSuccess;
}

using Layout = cublasLtMatrixLayoutOpaque_t;

// d [m, n] = op(a) op(b), op(a) of k columns.
Status problem_of(Problem& problem, const cublasLtMatmulDescOpaque_t* operation, const Layout* a, const Layout* b,
                  const Layout* c, const Layout* d) {
  if (operation == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr) return kInvalidValue;
  const bool ta = operation->transpose_a == kTransposed, tb = operation->transpose_b == kTransposed;
  const uint64_t m = ta ? a->columns : a->rows, k = ta ? a->rows : a->columns;
  const uint64_t n = tb ? b->rows : b->columns, kb = tb ? b->columns : b->rows;
  if (k != kb || d->rows != m || d->columns != n || c->rows != m || c->columns != n) return kInvalidValue;
  problem = {operation->compute,
             operation->transpose_a,
             operation->transpose_b,
             operation->epilogue,
             uint32_t(m),
             uint32_t(n),
             uint32_t(k),
             0};
  return kSuccess;
}

HAST_WIDE void multiply(const Problem& p, const float* a, size_t lda, size_t a_span, const float* b, size_t ldb,
                        size_t b_span, const float* bias, float alpha, float beta, float* d, size_t ldd) {
  const bool rounded = p.compute == kComputeTf32;
  const std::vector<double> left = factors(a, a_span, rounded);
  const std::vector<double> right = factors(b, b_span, rounded);
  std::vector<double> sums(p.m);
  for (size_t j = 0; j < p.n; j++) {
    sums.assign(p.m, 0);
    for (size_t l = 0; l < p.k; l++) {
      const double factor = p.transpose_b == kTransposed ? right[l * ldb + j] : right[j * ldb + l];
      for (size_t i = 0; i < p.m; i++) {
        sums[i] += factor * (p.transpose_a == kTransposed ? left[i * lda + l] : left[l * lda + i]);
      }
    }
    store(d + j * ldd, sums, alpha, beta);
    if (p.epilogue == kBiasEpilogue) {
      for (size_t i = 0; i < p.m; i++) d[j * ldd + i] += bias[i];
    }
  }
}

}  // namespace

HAST_EXPORT size_t cublasLtGetVersion() { return 130100; }

HAST_EXPORT const char* cublasLtGetStatusString(Status status) {
  switch (status) {
    case kSuccess:
      return "CUBLAS_STATUS_SUCCESS";
    case kInvalidValue:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case kNotSupported:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "a status that a test chose";
  }
}

HAST_EXPORT Status cublasLtCreate(cublasLtContext** handle) {
  HAST_CALLED();
  return create(handle);
}

HAST_EXPORT Status cublasLtDestroy(cublasLtContext* handle) {
  HAST_CALLED();
  return destroy(handle);
}

HAST_EXPORT Status cublasLtMatrixLayoutCreate(Layout** layout, int32_t type, uint64_t rows, uint64_t columns,
                                              int64_t leading) {
  HAST_CALLED();
  if (rows < 1 || columns < 1 || leading < int64_t(rows)) return kInvalidValue;
  if (type != kFloat || rows > 0xffffffffu || columns > 0xffffffffu) return kNotSupported;
  const Status status = create(layout);
  if (status != kSuccess) return status;
  (*layout)->rows = rows;
  (*layout)->columns = columns;
  (*layout)->leading = leading;
  return kSuccess;
}

HAST_EXPORT Status cublasLtMatrixLayoutDestroy(Layout* layout) {
  HAST_CALLED();
  return destroy(layout);
}

HAST_EXPORT Status cublasLtMatmulDescCreate(cublasLtMatmulDescOpaque_t** operation, int32_t compute, int32_t scale) {
  HAST_CALLED();
  if ((compute != kCompute32 && compute != kComputeTf32) || scale != kFloat) return kNotSupported;
  const Status status = create(operation);
  if (status == kSuccess) (*operation)->compute = compute;
  return status;
}

HAST_EXPORT Status cublasLtMatmulDescSetAttribute(cublasLtMatmulDescOpaque_t* operation, int32_t attribute,
                                                  const void* value, size_t bytes) {
  HAST_CALLED();
  if (operation == nullptr) return kInvalidValue;
  switch (attribute) {
    case 3:  // CUBLASLT_MATMUL_DESC_TRANSA
      return read(operation->transpose_a, value, bytes);
    case 4:  // CUBLASLT_MATMUL_DESC_TRANSB
      return read(operation->transpose_b, value, bytes);
    case 7:  // CUBLASLT_MATMUL_DESC_EPILOGUE
      return read(operation->epilogue, value, bytes);
    case 8:  // CUBLASLT_MATMUL_DESC_BIAS_POINTER
      return read(operation->bias, value, bytes);
    default:
      return kNotSupported;
  }
}

HAST_EXPORT Status cublasLtMatmulDescDestroy(cublasLtMatmulDescOpaque_t* operation) {
  HAST_CALLED();
  return destroy(operation);
}

HAST_EXPORT Status cublasLtMatmulPreferenceCreate(cublasLtMatmulPreferenceOpaque_t** preference) {
  HAST_CALLED();
  return create(preference);
}

HAST_EXPORT Status cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreferenceOpaque_t* preference, int32_t attribute,
                                                        const void* value, size_t bytes) {
  HAST_CALLED();
  if (preference == nullptr) return kInvalidValue;
  switch (attribute) {
    case 1:  // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
      return read(preference->workspace_bytes, value, bytes);
    case 3:  // CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
      return read(preference->reductions, value, bytes);
    case 5:  // CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; those of B, C and D follow
    case 6:
    case 7:
    case 8:
      return read(preference->alignment[attribute - 5], value, bytes);
    default:
      return kNotSupported;
  }
}

HAST_EXPORT Status cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreferenceOpaque_t* preference) {
  HAST_CALLED();
  return destroy(preference);
}

// The best first: one that splits sums where that is allowed, one with a workspace, one without, the same again as an
// advice that is no new method, and one that turns out not to work.
HAST_EXPORT Status cublasLtMatmulAlgoGetHeuristic(const cublasLtContext* handle,
                                                  const cublasLtMatmulDescOpaque_t* operation, const Layout* a,
                                                  const Layout* b, const Layout* c, const Layout* d,
                                                  const cublasLtMatmulPreferenceOpaque_t* preference, int32_t wanted,
                                                  cublasLtMatmulHeuristicResult_t* results, int32_t* found) {
  HAST_CALLED();
  if (handle == nullptr || preference == nullptr || results == nullptr || found == nullptr || wanted < 1) {
    return kInvalidValue;
  }
  Problem problem;
  if (const Status status = problem_of(problem, operation, a, b, c, d)) return status;
  problem.alignment = 256;
  for (uint32_t alignment : preference->alignment) {
    if (alignment < problem.alignment) problem.alignment = alignment;
  }
  *found = 0;
  const auto advise = [&](uint64_t id, uint64_t bytes, Status state) {
    if (*found == wanted || bytes > preference->workspace_bytes) return;
    cublasLtMatmulHeuristicResult_t& result = results[(*found)++];
    result = {};
    result.algo = {id, bytes, problem, {}};
    result.workspaceSize = bytes;
    result.state = state;
  };
  if ((preference->reductions & kInPlace) != 0) advise(3, 4096, kSuccess);
  advise(2, 512 + 4 * uint64_t{problem.k}, kSuccess);
  advise(1, 0, kSuccess);
  advise(1, 0, kSuccess);
  advise(4, 0, kNotSupported);
  return kSuccess;
}

// d = alpha op(a) op(b) + beta c (+ bias for each row)
HAST_EXPORT Status cublasLtMatmul(const cublasLtContext* handle, const cublasLtMatmulDescOpaque_t* operation,
                                  const float* alpha, const float* a, const Layout* a_layout, const float* b,
                                  const Layout* b_layout, const float* beta, const float* c, const Layout* c_layout,
                                  float* d, const Layout* d_layout, const cublasLtMatmulAlgo_t* algorithm,
                                  float* workspace, size_t workspace_bytes, CUstream_st* stream) {
  HAST_CALLED();
  if (handle == nullptr || alpha == nullptr || beta == nullptr || algorithm == nullptr || stream == nullptr) {
    return kInvalidValue;
  }
  Problem problem;
  if (const Status status = problem_of(problem, operation, a_layout, b_layout, c_layout, d_layout)) return status;
  problem.alignment = algorithm->problem.alignment;
  if (!(problem == algorithm->problem) || (algorithm->id != 1 && algorithm->id != 2)) return kNotSupported;
  const size_t needed = algorithm->workspace_bytes;
  if (workspace_bytes < needed) return kInvalidValue;
  if (needed > 0 && (!is_aligned(workspace, 16) || !stream->holds(workspace, workspace_bytes))) return kInvalidValue;
  // In place or not at all.
  if (c != d || c_layout->leading != d_layout->leading) return kNotSupported;
  struct Span {
    const float* address;
    size_t bytes;
  };
  std::vector<Span> read{{a, a_layout->span() * sizeof(float)}, {b, b_layout->span() * sizeof(float)}};
  if (problem.epilogue == kBiasEpilogue) read.push_back({operation->bias, problem.m * sizeof(float)});
  const Span written{d, d_layout->span() * sizeof(float)};
  for (const Span& span : read) {
    if (!is_aligned(span.address, problem.alignment) || !stream->holds(span.address, span.bytes) ||
        overlap(span.address, span.bytes, d, written.bytes) || overlap(span.address, span.bytes, workspace, needed)) {
      return kInvalidValue;
    }
  }
  if (!is_aligned(d, problem.alignment) || !stream->holds(d, written.bytes) ||
      overlap(d, written.bytes, workspace, needed)) {
    return kInvalidValue;
  }
  stream->enqueue([=, alpha = *alpha, beta = *beta, bias = operation->bias, lda = size_t(a_layout->leading),
                   ldb = size_t(b_layout->leading), ldd = size_t(d_layout->leading), a_span = a_layout->span(),
                   b_span = b_layout->span()] {
    // As floats NaN: nobody else's values survive in a workspace.
    if (needed > 0) std::memset(workspace, 0xff, needed);
    multiply(problem, a, lda, a_span, b, ldb, b_span, bias, alpha, beta, d, ldd);
  });
  return kSuccess;
}

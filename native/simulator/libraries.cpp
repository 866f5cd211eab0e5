// The functions of cuBLAS and cuDNN that Asni calls, by the definition of what they compute, in the stream's order: so that the calls'
// layouts, sizes and types are tested where those libraries are not.
#include <bit>
#include <cmath>
#include <vector>

#include "error.h"
#include "memory.h"
#include "stream.h"

using namespace asni::sim;

namespace {

constexpr int invalid_value = 7, bad_parameter = 2000;  // of cuBLAS, of cuDNN

struct Library {
    Stream* stream = nullptr;
};

Library* library_of(void* handle) {
    if (handle == nullptr) fail_call(CUDA_ERROR_INVALID_HANDLE, "a library's handle is null");
    return static_cast<Library*>(handle);
}

float widened(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t narrowed(float x) {
    uint32_t bits = std::bit_cast<uint32_t>(x);
    return std::isnan(x) ? 0x7fff : uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

// An array of floats or bf16 on the device; every access is inside it.
struct Numbers {
    uint64_t address;
    int64_t count;
    bool narrow;

    void require(const char* call) const { require_device_range(address, size_t(count) * (narrow ? 2 : 4), call); }
    double get(int64_t i) const {
        return narrow ? widened(reinterpret_cast<const uint16_t*>(address)[i]) : reinterpret_cast<const float*>(address)[i];
    }
    void set(int64_t i, double x) const {
        if (narrow) reinterpret_cast<uint16_t*>(address)[i] = narrowed(float(x));
        else reinterpret_cast<float*>(address)[i] = float(x);
    }
};

bool narrow_of(int type, int wide, int narrow, const char* call) {
    if (type != wide && type != narrow) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: data type %d", call, type);
    return type == narrow;
}

// Checked now and when the work is done, as the driver's own calls are.
void enqueue_on(Library* library, std::vector<Numbers> arrays, const char* call, Operation operation) {
    for (const Numbers& each : arrays) each.require(call);
    enqueue(library->stream, [=, arrays = std::move(arrays), operation = std::move(operation)] {
        for (const Numbers& each : arrays) each.require(call);
        operation();
    });
}

}  // namespace

ASNI_EXPORT int cublasCreate_v2(void** handle) {
    return library_call(invalid_value, [&] { *handle = new Library{stream_of(nullptr)}; });
}

ASNI_EXPORT int cublasDestroy_v2(void* handle) {
    return library_call(invalid_value, [&] { delete library_of(handle); });
}

ASNI_EXPORT int cublasSetStream_v2(void* handle, void* stream) {
    return library_call(invalid_value, [&] { library_of(handle)->stream = stream_of(stream); });
}

ASNI_EXPORT int cublasSetWorkspace_v2(void* handle, uint64_t workspace, size_t bytes) {
    return library_call(invalid_value, [&] {
        library_of(handle);
        require_device_range(workspace, bytes, "cublasSetWorkspace_v2");
    });
}

ASNI_EXPORT const char* cublasGetStatusString(int) { return last_error(); }

// C = alpha op(A) op(B) + beta C, all column by column.
ASNI_EXPORT int cublasGemmEx(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const float* alpha, uint64_t a, int type_a,
    int lda, uint64_t b, int type_b, int ldb, const float* beta, uint64_t c, int type_c, int ldc, int compute, int) {
    return library_call(invalid_value, [&] {
        const char* call = "cublasGemmEx";
        if (compute != 68 && compute != 77) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: compute type %d", call, compute);
        if (type_a != type_b) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: A and B of different types", call);
        if (lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k) || ldc < m)
            fail_call(CUDA_ERROR_INVALID_VALUE, "%s: a leading dimension is too small", call);
        auto extent = [](int64_t rows, int64_t columns, int64_t pitch) { return (columns - 1) * pitch + rows; };
        Numbers na{a, transpose_a ? extent(k, m, lda) : extent(m, k, lda), narrow_of(type_a, 0, 14, call)};
        Numbers nb{b, transpose_b ? extent(n, k, ldb) : extent(k, n, ldb), narrow_of(type_b, 0, 14, call)};
        Numbers nc{c, extent(m, n, ldc), narrow_of(type_c, 0, 14, call)};
        float al = *alpha, be = *beta;
        enqueue_on(library_of(handle), {na, nb, nc}, call, [=] {
            for (int64_t j = 0; j < n; j++) {
                for (int64_t i = 0; i < m; i++) {
                    double sum = 0;
                    for (int64_t l = 0; l < k; l++)
                        sum += na.get(transpose_a ? i * lda + l : l * lda + i) * nb.get(transpose_b ? l * ldb + j : j * ldb + l);
                    nc.set(j * ldc + i, al * sum + (be == 0 ? 0 : be * nc.get(j * ldc + i)));
                }
            }
        });
    });
}

namespace {

// N C H W of a tensor, K C R S of a filter; both with the channels innermost.
struct Descriptor {
    int extents[4];
    bool narrow;
    int64_t count() const { return int64_t(extents[0]) * extents[1] * extents[2] * extents[3]; }
    int64_t at(int64_t n, int64_t c, int64_t h, int64_t w) const { return ((n * extents[2] + h) * extents[3] + w) * extents[1] + c; }
    Numbers numbers(uint64_t address) const { return {address, count(), narrow}; }
};

struct ConvolutionDescriptor {
    int padding[2], stride[2], groups = 1;
};

Descriptor described(int format, int type, int n, int c, int h, int w, const char* call) {
    if (format != 1) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: only NHWC is simulated", call);
    return {{n, c, h, w}, narrow_of(type, 0, 9, call)};
}

// Calls visit(x index, w index, y index) for every product of the convolution.
template <class Visit>
void each_product(const Descriptor& x, const Descriptor& w, const ConvolutionDescriptor& convolution, const Descriptor& y, Visit visit) {
    int group_outputs = y.extents[1] / convolution.groups, group_inputs = w.extents[1];
    for (int n = 0; n < y.extents[0]; n++) {
        for (int p = 0; p < y.extents[2]; p++) {
            for (int q = 0; q < y.extents[3]; q++) {
                for (int r = 0; r < w.extents[2]; r++) {
                    for (int s = 0; s < w.extents[3]; s++) {
                        int h = p * convolution.stride[0] - convolution.padding[0] + r, v = q * convolution.stride[1] - convolution.padding[1] + s;
                        if (h < 0 || v < 0 || h >= x.extents[2] || v >= x.extents[3]) continue;
                        for (int k = 0; k < y.extents[1]; k++) {
                            for (int c = 0; c < group_inputs; c++)
                                visit(x.at(n, k / group_outputs * group_inputs + c, h, v), w.at(k, c, r, s), y.at(n, k, p, q));
                        }
                    }
                }
            }
        }
    }
}

enum class Pass { forward, data, filter };

int convolve(void* handle, Pass pass, const float* alpha, void* first, uint64_t first_at, void* second, uint64_t second_at, void* convolution,
    uint64_t workspace, size_t workspace_bytes, const float* beta, void* result, uint64_t result_at) {
    return library_call(bad_parameter, [&] {
        const char* call = pass == Pass::forward ? "cudnnConvolutionForward"
            : pass == Pass::data ? "cudnnConvolutionBackwardData" : "cudnnConvolutionBackwardFilter";
        if (workspace_bytes != 0) require_device_range(workspace, workspace_bytes, call);
        Descriptor da = *static_cast<Descriptor*>(first), db = *static_cast<Descriptor*>(second), dr = *static_cast<Descriptor*>(result);
        ConvolutionDescriptor dc = *static_cast<ConvolutionDescriptor*>(convolution);
        const Descriptor& x = pass == Pass::data ? dr : da;
        const Descriptor& w = pass == Pass::forward ? db : pass == Pass::data ? da : dr;
        const Descriptor& y = pass == Pass::forward ? dr : db;
        bool fits = x.extents[0] == y.extents[0] && w.extents[0] == y.extents[1] && w.extents[1] * dc.groups == x.extents[1];
        for (int axis = 0; axis < 2; axis++)
            fits &= y.extents[2 + axis] == (x.extents[2 + axis] + 2 * dc.padding[axis] - w.extents[2 + axis]) / dc.stride[axis] + 1;
        if (!fits || x.narrow != y.narrow || x.narrow != w.narrow)
            fail_call(CUDA_ERROR_INVALID_VALUE, "%s: shapes or types that do not fit each other", call);
        Numbers a = da.numbers(first_at), b = db.numbers(second_at), r = dr.numbers(result_at);
        float al = *alpha, be = *beta;
        enqueue_on(library_of(handle), {a, b, r}, call, [=] {
            const Descriptor& x = pass == Pass::data ? dr : da;
            const Descriptor& w = pass == Pass::forward ? db : pass == Pass::data ? da : dr;
            const Descriptor& y = pass == Pass::forward ? dr : db;
            std::vector<double> sums(size_t(r.count));
            each_product(x, w, dc, y, [&](int64_t xi, int64_t wi, int64_t yi) {
                if (pass == Pass::forward) sums[yi] += a.get(xi) * b.get(wi);
                else if (pass == Pass::data) sums[xi] += a.get(wi) * b.get(yi);
                else sums[wi] += a.get(xi) * b.get(yi);
            });
            for (int64_t i = 0; i < r.count; i++) r.set(i, al * sums[i] + (be == 0 ? 0 : be * r.get(i)));
        });
    });
}

int workspace_size(size_t* bytes) {
    *bytes = 256;  // so that somebody has to bring one
    return 0;
}

}  // namespace

ASNI_EXPORT int cudnnCreate(void** handle) {
    return library_call(bad_parameter, [&] { *handle = new Library{stream_of(nullptr)}; });
}
ASNI_EXPORT int cudnnDestroy(void* handle) {
    return library_call(bad_parameter, [&] { delete library_of(handle); });
}
ASNI_EXPORT int cudnnSetStream(void* handle, void* stream) {
    return library_call(bad_parameter, [&] { library_of(handle)->stream = stream_of(stream); });
}
ASNI_EXPORT const char* cudnnGetErrorString(int) { return last_error(); }

ASNI_EXPORT int cudnnCreateTensorDescriptor(void** descriptor) { *descriptor = new Descriptor{}; return 0; }
ASNI_EXPORT int cudnnDestroyTensorDescriptor(void* descriptor) { delete static_cast<Descriptor*>(descriptor); return 0; }
ASNI_EXPORT int cudnnSetTensor4dDescriptor(void* descriptor, int format, int type, int n, int c, int h, int w) {
    return library_call(bad_parameter, [&] {
        *static_cast<Descriptor*>(descriptor) = described(format, type, n, c, h, w, "cudnnSetTensor4dDescriptor");
    });
}
ASNI_EXPORT int cudnnCreateFilterDescriptor(void** descriptor) { *descriptor = new Descriptor{}; return 0; }
ASNI_EXPORT int cudnnDestroyFilterDescriptor(void* descriptor) { delete static_cast<Descriptor*>(descriptor); return 0; }
ASNI_EXPORT int cudnnSetFilter4dDescriptor(void* descriptor, int type, int format, int k, int c, int h, int w) {
    return library_call(bad_parameter, [&] {
        *static_cast<Descriptor*>(descriptor) = described(format, type, k, c, h, w, "cudnnSetFilter4dDescriptor");
    });
}
ASNI_EXPORT int cudnnCreateConvolutionDescriptor(void** descriptor) { *descriptor = new ConvolutionDescriptor{}; return 0; }
ASNI_EXPORT int cudnnDestroyConvolutionDescriptor(void* descriptor) { delete static_cast<ConvolutionDescriptor*>(descriptor); return 0; }
ASNI_EXPORT int cudnnSetConvolution2dDescriptor(void* descriptor, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
    int mode, int type) {
    return library_call(bad_parameter, [&] {
        if (dilation_h != 1 || dilation_w != 1 || mode != 1 || type != 0)
            fail_call(CUDA_ERROR_INVALID_VALUE, "cudnnSetConvolution2dDescriptor: only cross-correlation in float is simulated");
        *static_cast<ConvolutionDescriptor*>(descriptor) = {{pad_h, pad_w}, {stride_h, stride_w}};
    });
}
ASNI_EXPORT int cudnnSetConvolutionGroupCount(void* descriptor, int groups) {
    static_cast<ConvolutionDescriptor*>(descriptor)->groups = groups;
    return 0;
}
// Math type 2 would round fp32 operands to fp16: CUDNN_STATUS_NOT_SUPPORTED here.
ASNI_EXPORT int cudnnSetConvolutionMathType(void*, int type) { return type == 2 ? 3000 : 0; }
ASNI_EXPORT size_t cudnnGetVersion() { return 90000; }
ASNI_EXPORT int cublasGetVersion_v2(void*, int* version) {
    *version = 120000;
    return 0;
}

ASNI_EXPORT int cudnnGetConvolutionForwardWorkspaceSize(void*, void*, void*, void*, void*, int, size_t* bytes) { return workspace_size(bytes); }
ASNI_EXPORT int cudnnGetConvolutionBackwardDataWorkspaceSize(void*, void*, void*, void*, void*, int, size_t* bytes) { return workspace_size(bytes); }
ASNI_EXPORT int cudnnGetConvolutionBackwardFilterWorkspaceSize(void*, void*, void*, void*, void*, int, size_t* bytes) { return workspace_size(bytes); }

ASNI_EXPORT int cudnnConvolutionForward(void* handle, const float* alpha, void* x, uint64_t x_at, void* w, uint64_t w_at, void* convolution, int,
    uint64_t workspace, size_t bytes, const float* beta, void* y, uint64_t y_at) {
    return convolve(handle, Pass::forward, alpha, x, x_at, w, w_at, convolution, workspace, bytes, beta, y, y_at);
}
ASNI_EXPORT int cudnnConvolutionBackwardData(void* handle, const float* alpha, void* w, uint64_t w_at, void* dy, uint64_t dy_at, void* convolution,
    int, uint64_t workspace, size_t bytes, const float* beta, void* dx, uint64_t dx_at) {
    return convolve(handle, Pass::data, alpha, w, w_at, dy, dy_at, convolution, workspace, bytes, beta, dx, dx_at);
}
ASNI_EXPORT int cudnnConvolutionBackwardFilter(void* handle, const float* alpha, void* x, uint64_t x_at, void* dy, uint64_t dy_at,
    void* convolution, int, uint64_t workspace, size_t bytes, const float* beta, void* dw, uint64_t dw_at) {
    return convolve(handle, Pass::filter, alpha, x, x_at, dy, dy_at, convolution, workspace, bytes, beta, dw, dw_at);
}

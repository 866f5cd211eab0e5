// Batch-norm with optional add and ReLU/ReLU6 in one: forward a pass of sums and a pass that applies, backward the same. Sums are taken in
// float within a block and in double over the blocks, in a fixed order; forward they are of x minus the first row's value, which keeps the
// variance from cancelling when the mean is large beside the deviation. Memory-bound.
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"
#include "asni/channel_blocks.h"

using namespace asni;

struct BatchNormArgs {
    const void* x;
    const void* skip;   // forward, or null
    void* y;            // forward: the result; backward: the activation's output
    void* dy;
    void* dskip;        // backward, or null
    void* dx;
    const float* weight;
    const float* bias;
    float* running_mean;
    float* running_variance;
    float* dweight;
    float* dbias;
    float* saved;       // of each channel: the mean in float, 1 / standard deviation, and what the mean lost
    float* rows;        // of each channel: shift or mean, scale, offset, slope
    float* partial;     // of each block row of the grid, two sums a channel
    int64_t count;      // rows
    int channels, parts, activation, accumulate_skip, training;
    float epsilon, momentum;
};

// Sums of x - shift and its square.
template <class T, int width>
ASNI_DEVICE void forward_sums(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    const T* x = static_cast<const T*>(args.x) + block.channel;
    float sums[width] = {}, squares[width] = {};
    if (block.inside) {
        Lanes<T, width> shift;
        shift.load(x);
        for (int64_t row = block.first_row(); row < args.count; row += block.row_step()) {
            Lanes<T, width> value;
            value.load(x + row * args.channels);
            ASNI_UNROLL
            for (int e = 0; e < width; e++) {
                float d = value.get(e) - shift.get(e);
                sums[e] += d;
                squares[e] = fmaf(d, d, squares[e]);
            }
        }
    }
    float* partial = args.partial + int64_t(blockIdx.x) * 2 * args.channels;
    block.sum_rows(sums, partial, 1);
    __syncthreads();
    block.sum_rows(squares, partial + args.channels, 1);
}

ASNI_KERNEL(batch_norm_sums_fp32, BatchNormArgs, 256) { forward_sums<float, 4>(args); }
ASNI_KERNEL(batch_norm_sums_fp32_any, BatchNormArgs, 256) { forward_sums<float, 1>(args); }
ASNI_KERNEL(batch_norm_sums_bf16, BatchNormArgs, 256) { forward_sums<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_sums_bf16_any, BatchNormArgs, 256) { forward_sums<bf16, 1>(args); }

struct TwoSums {
    double first, second;
};

ASNI_DEVICE TwoSums total(const BatchNormArgs& args, int channel) {
    TwoSums sums = {0, 0};
    for (int part = 0; part < args.parts; part++) {
        const float* partial = args.partial + int64_t(part) * 2 * args.channels + channel;
        sums.first += partial[0];
        sums.second += partial[args.channels];
    }
    return sums;
}

ASNI_DEVICE double inverse_root(double x) {
    // One step of Newton's method from the float's root: double precision without a library's square root.
    double y = 1.0f / sqrtf(float(x));
    return y * (1.5 - 0.5 * x * y * y);
}

// A thread a channel: this batch's statistics, or the running ones in inference; then (x - mean) * scale + offset, the mean's rounding in the offset.
template <class T>
ASNI_DEVICE void forward_rows(const BatchNormArgs& args) {
    int c = int(grid_thread());
    if (c >= args.channels) return;
    double mean = args.running_mean[c], deviation = 0;
    if (args.training) {
        TwoSums sums = total(args, c);
        double count = double(args.count), shifted = sums.first / count, variance = sums.second / count - shifted * shifted;
        mean = Storage<T>::load(static_cast<const T*>(args.x) + c) + shifted;
        variance = variance < 0 ? 0 : variance;
        deviation = inverse_root(variance + args.epsilon);
        // The unbiased variance of a single value does not exist; it counts as 0.
        double unbiased = variance * count / (count > 1 ? count - 1 : 1), momentum = args.momentum;
        args.running_mean[c] = float((1 - momentum) * args.running_mean[c] + momentum * mean);
        args.running_variance[c] = float((1 - momentum) * args.running_variance[c] + momentum * unbiased);
    } else {
        deviation = inverse_root(double(args.running_variance[c]) + args.epsilon);
    }
    double scale = args.weight[c] * deviation;
    float rounded = float(mean);
    args.saved[c] = rounded;
    args.saved[args.channels + c] = float(deviation);
    args.saved[2 * args.channels + c] = float(mean - rounded);
    args.rows[c] = rounded;
    args.rows[args.channels + c] = float(scale);
    args.rows[2 * args.channels + c] = float(args.bias[c] + (rounded - mean) * scale);
}

ASNI_KERNEL(batch_norm_rows_fp32, BatchNormArgs, 256) { forward_rows<float>(args); }
ASNI_KERNEL(batch_norm_rows_bf16, BatchNormArgs, 256) { forward_rows<bf16>(args); }

template <class T, int width>
ASNI_DEVICE void forward_apply(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    if (!block.inside) return;
    const float* rows = args.rows + block.channel;
    float mean[width], scale[width], offset[width];
    ASNI_UNROLL
    for (int e = 0; e < width; e++) {
        mean[e] = rows[e];
        scale[e] = rows[args.channels + e];
        offset[e] = rows[2 * args.channels + e];
    }
    for (int64_t row = block.first_row(); row < args.count; row += block.row_step()) {
        int64_t at = row * args.channels + block.channel;
        Lanes<T, width> value, residual;
        value.load(static_cast<const T*>(args.x) + at);
        if (args.skip != nullptr) residual.load(static_cast<const T*>(args.skip) + at);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float normalized = fmaf(value.get(e) - mean[e], scale[e], offset[e]);
            if (args.skip != nullptr) normalized += residual.get(e);
            value.set(e, activate(normalized, args.activation));
        }
        value.store(static_cast<T*>(args.y) + at);
    }
}

ASNI_KERNEL(batch_norm_apply_fp32, BatchNormArgs, 256) { forward_apply<float, 4>(args); }
ASNI_KERNEL(batch_norm_apply_fp32_any, BatchNormArgs, 256) { forward_apply<float, 1>(args); }
ASNI_KERNEL(batch_norm_apply_bf16, BatchNormArgs, 256) { forward_apply<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_apply_bf16_any, BatchNormArgs, 256) { forward_apply<bf16, 1>(args); }

// Sums of g, the gradient behind the activation, and of g * (x - mean).
template <class T, int width>
ASNI_DEVICE void backward_sums(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    float sums[width] = {}, products[width] = {}, mean[width] = {};
    if (block.inside) {
        ASNI_UNROLL
        for (int e = 0; e < width; e++) mean[e] = args.saved[block.channel + e];
        for (int64_t row = block.first_row(); row < args.count; row += block.row_step()) {
            int64_t at = row * args.channels + block.channel;
            Lanes<T, width> value, gradient, output;
            value.load(static_cast<const T*>(args.x) + at);
            gradient.load(static_cast<const T*>(args.dy) + at);
            if (args.activation != activation_none) output.load(static_cast<const T*>(args.y) + at);
            ASNI_UNROLL
            for (int e = 0; e < width; e++) {
                float g = activation_passes(output.get(e), args.activation) ? gradient.get(e) : 0.0f;
                sums[e] += g;
                products[e] = fmaf(g, value.get(e) - mean[e], products[e]);
            }
        }
    }
    float* partial = args.partial + int64_t(blockIdx.x) * 2 * args.channels;
    block.sum_rows(sums, partial, 1);
    __syncthreads();
    block.sum_rows(products, partial + args.channels, 1);
}

ASNI_KERNEL(batch_norm_gradient_sums_fp32, BatchNormArgs, 256) { backward_sums<float, 4>(args); }
ASNI_KERNEL(batch_norm_gradient_sums_fp32_any, BatchNormArgs, 256) { backward_sums<float, 1>(args); }
ASNI_KERNEL(batch_norm_gradient_sums_bf16, BatchNormArgs, 256) { backward_sums<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_gradient_sums_bf16_any, BatchNormArgs, 256) { backward_sums<bf16, 1>(args); }

// With z the normalized x: dx = w / std * (g - mean(g) - z * mean(g * z)).
ASNI_KERNEL(batch_norm_gradient_rows, BatchNormArgs, 256) {
    int c = int(grid_thread());
    if (c >= args.channels) return;
    TwoSums sums = total(args, c);
    double deviation = args.saved[args.channels + c], count = double(args.count);
    double dweight = (sums.second - sums.first * args.saved[2 * args.channels + c]) * deviation, scale = args.weight[c] * deviation;
    args.dweight[c] = float(dweight);
    args.dbias[c] = float(sums.first);
    args.rows[c] = args.saved[c];
    args.rows[args.channels + c] = float(scale);
    args.rows[2 * args.channels + c] = float(-scale * sums.first / count);
    args.rows[3 * args.channels + c] = float(-scale * deviation * dweight / count);
}

template <class T, int width>
ASNI_DEVICE void backward_apply(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    if (!block.inside) return;
    const float* rows = args.rows + block.channel;
    float mean[width], scale[width], offset[width], slope[width];
    ASNI_UNROLL
    for (int e = 0; e < width; e++) {
        mean[e] = rows[e];
        scale[e] = rows[args.channels + e];
        offset[e] = rows[2 * args.channels + e];
        slope[e] = rows[3 * args.channels + e];
    }
    for (int64_t row = block.first_row(); row < args.count; row += block.row_step()) {
        int64_t at = row * args.channels + block.channel;
        Lanes<T, width> value, gradient, output, skip;
        value.load(static_cast<const T*>(args.x) + at);
        gradient.load(static_cast<const T*>(args.dy) + at);
        if (args.activation != activation_none) output.load(static_cast<const T*>(args.y) + at);
        if (args.dskip != nullptr && args.accumulate_skip) skip.load(static_cast<const T*>(args.dskip) + at);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float g = activation_passes(output.get(e), args.activation) ? gradient.get(e) : 0.0f;
            value.set(e, fmaf(scale[e], g, fmaf(slope[e], value.get(e) - mean[e], offset[e])));
            skip.set(e, args.accumulate_skip ? skip.get(e) + g : g);
        }
        if (args.dskip != nullptr) skip.store(static_cast<T*>(args.dskip) + at);
        value.store(static_cast<T*>(args.dx) + at);
    }
}

ASNI_KERNEL(batch_norm_gradient_apply_fp32, BatchNormArgs, 256) { backward_apply<float, 4>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_fp32_any, BatchNormArgs, 256) { backward_apply<float, 1>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_bf16, BatchNormArgs, 256) { backward_apply<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_bf16_any, BatchNormArgs, 256) { backward_apply<bf16, 1>(args); }

// Batch-norm with optional add and ReLU/ReLU6 in one: forward a pass of sums and a pass that applies, backward the same; where the convolution
// before it has left statistics of its tiles, those are merged in place of the pass of sums. Sums are taken in float within a block and in double
// over the blocks, in a fixed order; forward they are of x minus the first row's value (of a tile: about its mean), which keeps the variance from
// cancelling when the mean is large beside the deviation. The activation's derivative is kept as one bit an element. Memory-bound.
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"
#include "asni/channel_blocks.h"

using namespace asni;

struct BatchNormArgs {
    const void* x;
    const void* skip;   // forward, or null
    void* y;            // forward: the result
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
    const float* tiles; // of each tile of tile_rows rows, a channel's sum and squared deviations from its mean; or null: sums are taken here
    double* merged;     // of each of parts groups of tiles, a channel's sum and sum of squares
    uint8_t* passes;    // a byte for each element or chunk of 16 bytes: a bit an element where the activation's derivative is 1; or null: everywhere
    int64_t count;      // rows
    int channels, parts, activation, accumulate_skip, training, tile_rows;
    float epsilon, momentum;
};

struct TwoSums {
    double first, second;
};

// For the lane 0 of each of 32 columns, the sum over its lanes in their order.
template <int lanes>
ASNI_DEVICE TwoSums sum_lanes(TwoSums sums, int lane, int column) {
    ASNI_SHARED(double, shared, 2 * lanes * 32);
    shared[lane * 32 + column] = sums.first;
    shared[(lanes + lane) * 32 + column] = sums.second;
    __syncthreads();
    if (lane != 0) return sums;
    for (int i = 1; i < lanes; i++) {
        sums.first += shared[i * 32 + column];
        sums.second += shared[(lanes + i) * 32 + column];
    }
    return sums;
}

// Calls use(at, row) for each of the thread's rows in turn, at being its first element there. Flight rows are loaded before the first of them is
// used: a single one would leave the memory waiting for the arithmetic.
template <class Row, int flight, int width, class Use>
ASNI_DEVICE void for_each_row(const BatchNormArgs& args, const ChannelBlock<width>& block, Use use) {
    int64_t at = block.first_row() * args.channels + block.channel, step = block.row_step() * args.channels, end = args.count * args.channels;
    if constexpr (flight > 1) {
        for (; at + (flight - 1) * step < end; at += flight * step) {
            Row rows[flight];
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) rows[j].load(args, at + j * step);
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) use(at + j * step, rows[j]);
        }
    }
    for (; at < end; at += step) {
        Row row;
        row.load(args, at);
        use(at, row);
    }
}

template <class T, int width>
struct InputRow {
    Lanes<T, width> value;

    ASNI_DEVICE void load(const BatchNormArgs& args, int64_t at) { value.load(static_cast<const T*>(args.x) + at); }
};

// Sums of x - shift and its square.
template <class T, int width>
ASNI_DEVICE void forward_sums(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    float sums[width] = {}, squares[width] = {};
    if (block.inside) {
        Lanes<T, width> shift;
        shift.load(static_cast<const T*>(args.x) + block.channel);
        for_each_row<InputRow<T, width>, 4>(args, block, [&](int64_t, const InputRow<T, width>& row) {
            ASNI_UNROLL
            for (int e = 0; e < width; e++) {
                float d = row.value.get(e) - shift.get(e);
                sums[e] += d;
                squares[e] = fmaf(d, d, squares[e]);
            }
        });
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

// Tiles of the convolution to sums in double; the deviations from a tile's mean and the tile's own sum give its sum of squares.
ASNI_KERNEL(batch_norm_merge, BatchNormArgs, 256) {
    ChannelBlock<1> block(args.channels);
    int64_t tiles = (args.count + args.tile_rows - 1) / args.tile_rows;
    double sum = 0, squares = 0;
    if (block.inside) {
        // Multiplied rather than divided by in the loop; the last tile may have fewer rows.
        double inverse = 1.0 / args.tile_rows, last_inverse = 1.0 / double(args.count - (tiles - 1) * args.tile_rows);
        constexpr int flight = 2;
        for (int64_t first = block.first_row(); first < tiles; first += flight * block.row_step()) {
            float values[flight][2] = {};
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) {
                int64_t tile = first + j * block.row_step();
                if (tile >= tiles) continue;
                const float* from = args.tiles + tile * 2 * args.channels + block.channel;
                values[j][0] = from[0];
                values[j][1] = from[args.channels];
            }
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) {
                double s = values[j][0];
                sum += s;
                squares += values[j][1] + s * s * (first + j * block.row_step() == tiles - 1 ? last_inverse : inverse);
            }
        }
    }
    double* merged = args.merged + int64_t(blockIdx.x) * 2 * args.channels + block.channel;
    TwoSums sums = sum_lanes<ChannelBlock<1>::warps>({block.sum_warp(sum), block.sum_warp(squares)}, warp_index(), lane_index());
    if (warp_index() != 0 || !block.speaks()) return;
    merged[0] = sums.first;
    merged[args.channels] = sums.second;
}

// A block has 32 channels and 32 lanes for each, which take the parts in turns.
constexpr int total_threads = 1024, total_lanes = 32;

struct TotalChannel {
    int lane = int(threadIdx.x) / 32, column = int(threadIdx.x) % 32, channel = int(blockIdx.x) * 32 + column;

    // For the lane 0.
    template <class Sum>
    ASNI_DEVICE TwoSums total(const Sum* partial, int parts, int channels) const {
        TwoSums sums = {0, 0};
        if (channel < channels) {
            constexpr int flight = 4;
            for (int first = lane; first < parts; first += flight * total_lanes) {
                Sum values[flight][2] = {};
                ASNI_UNROLL
                for (int j = 0; j < flight; j++) {
                    int part = first + j * total_lanes;
                    if (part >= parts) continue;
                    const Sum* from = partial + int64_t(part) * 2 * channels + channel;
                    values[j][0] = from[0];
                    values[j][1] = from[channels];
                }
                ASNI_UNROLL
                for (int j = 0; j < flight; j++) {
                    sums.first += values[j][0];
                    sums.second += values[j][1];
                }
            }
        }
        return sum_lanes<total_lanes>(sums, lane, column);
    }
};

ASNI_DEVICE double inverse_root(double x) {
    // One step of Newton's method from the float's root: double precision without a library's square root.
    double y = 1.0f / sqrtf(float(x));
    return y * (1.5 - 0.5 * x * y * y);
}

// This batch's statistics, or the running ones in inference; then (x - mean) * scale + offset, the mean's rounding in the offset.
template <class T>
ASNI_DEVICE void forward_rows(const BatchNormArgs& args) {
    TotalChannel block;
    int c = block.channel;
    TwoSums sums = {0, 0};
    if (args.training) {
        sums = args.tiles != nullptr ? block.total(args.merged, args.parts, args.channels) : block.total(args.partial, args.parts, args.channels);
    }
    if (block.lane != 0 || c >= args.channels) return;
    double mean = args.running_mean[c], deviation = 0;
    if (args.training) {
        double count = double(args.count), shifted = sums.first / count, variance = sums.second / count - shifted * shifted;
        mean = (args.tiles != nullptr ? 0 : Storage<T>::load(static_cast<const T*>(args.x) + c)) + shifted;
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

ASNI_KERNEL(batch_norm_rows_fp32, BatchNormArgs, total_threads) { forward_rows<float>(args); }
ASNI_KERNEL(batch_norm_rows_bf16, BatchNormArgs, total_threads) { forward_rows<bf16>(args); }

template <class T, int width>
struct ForwardRow {
    Lanes<T, width> value, residual;

    ASNI_DEVICE void load(const BatchNormArgs& args, int64_t at) {
        value.load(static_cast<const T*>(args.x) + at);
        if (args.skip != nullptr) residual.load(static_cast<const T*>(args.skip) + at);
    }
};

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
    for_each_row<ForwardRow<T, width>, 2>(args, block, [&](int64_t at, ForwardRow<T, width>& row) {
        unsigned passes = 0;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float normalized = fmaf(row.value.get(e) - mean[e], scale[e], offset[e]);
            if (args.skip != nullptr) normalized += row.residual.get(e);
            row.value.set(e, activate(normalized, args.activation));
            if (activation_passes(row.value.get(e), args.activation)) passes |= 1u << e;
        }
        row.value.store(static_cast<T*>(args.y) + at);
        if (args.passes != nullptr) args.passes[uint64_t(at) / width] = uint8_t(passes);
    });
}

ASNI_KERNEL(batch_norm_apply_fp32, BatchNormArgs, 256) { forward_apply<float, 4>(args); }
ASNI_KERNEL(batch_norm_apply_fp32_any, BatchNormArgs, 256) { forward_apply<float, 1>(args); }
ASNI_KERNEL(batch_norm_apply_bf16, BatchNormArgs, 256) { forward_apply<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_apply_bf16_any, BatchNormArgs, 256) { forward_apply<bf16, 1>(args); }

template <class T, int width>
struct BackwardRow {
    Lanes<T, width> value, gradient;
    unsigned passes;

    ASNI_DEVICE void load(const BatchNormArgs& args, int64_t at) {
        value.load(static_cast<const T*>(args.x) + at);
        gradient.load(static_cast<const T*>(args.dy) + at);
        passes = args.passes != nullptr ? args.passes[uint64_t(at) / width] : ~0u;
    }

    // The gradient behind the activation.
    ASNI_DEVICE float get(int e) const { return passes >> e & 1 ? gradient.get(e) : 0.0f; }
};

// Sums of g, the gradient behind the activation, and of g * (x - mean).
template <class T, int width>
ASNI_DEVICE void backward_sums(const BatchNormArgs& args) {
    ChannelBlock<width> block(args.channels);
    float sums[width] = {}, products[width] = {}, mean[width] = {};
    if (block.inside) {
        ASNI_UNROLL
        for (int e = 0; e < width; e++) mean[e] = args.saved[block.channel + e];
        for_each_row<BackwardRow<T, width>, 2>(args, block, [&](int64_t, const BackwardRow<T, width>& row) {
            ASNI_UNROLL
            for (int e = 0; e < width; e++) {
                float g = row.get(e);
                sums[e] += g;
                products[e] = fmaf(g, row.value.get(e) - mean[e], products[e]);
            }
        });
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

// With z the normalized x: dx = w / std * (g - mean(g) - z * mean(g * z)); of running statistics, which are constants, w / std * g.
ASNI_KERNEL(batch_norm_gradient_rows, BatchNormArgs, total_threads) {
    TotalChannel block;
    int c = block.channel;
    TwoSums sums = block.total(args.partial, args.parts, args.channels);
    if (block.lane != 0 || c >= args.channels) return;
    double deviation = args.saved[args.channels + c], count = double(args.count);
    double dweight = (sums.second - sums.first * args.saved[2 * args.channels + c]) * deviation, scale = args.weight[c] * deviation;
    args.dweight[c] = float(dweight);
    args.dbias[c] = float(sums.first);
    args.rows[c] = args.saved[c];
    args.rows[args.channels + c] = float(scale);
    args.rows[2 * args.channels + c] = args.training ? float(-scale * sums.first / count) : 0.0f;
    args.rows[3 * args.channels + c] = args.training ? float(-scale * deviation * dweight / count) : 0.0f;
}

template <class T, int width>
struct BackwardSkipRow : BackwardRow<T, width> {
    Lanes<T, width> skip;

    ASNI_DEVICE void load(const BatchNormArgs& args, int64_t at) {
        BackwardRow<T, width>::load(args, at);
        if (args.dskip != nullptr && args.accumulate_skip) skip.load(static_cast<const T*>(args.dskip) + at);
    }
};

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
    // Its 16 bytes a row of each of three tensors keep the memory busy; the registers of a second row would leave room for fewer blocks.
    for_each_row<BackwardSkipRow<T, width>, 1>(args, block, [&](int64_t at, BackwardSkipRow<T, width>& row) {
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float g = row.get(e);
            row.value.set(e, fmaf(scale[e], g, fmaf(slope[e], row.value.get(e) - mean[e], offset[e])));
            row.skip.set(e, args.accumulate_skip ? row.skip.get(e) + g : g);
        }
        if (args.dskip != nullptr) row.skip.store(static_cast<T*>(args.dskip) + at);
        row.value.store(static_cast<T*>(args.dx) + at);
    });
}

ASNI_KERNEL(batch_norm_gradient_apply_fp32, BatchNormArgs, 256) { backward_apply<float, 4>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_fp32_any, BatchNormArgs, 256) { backward_apply<float, 1>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_bf16, BatchNormArgs, 256) { backward_apply<bf16, 8>(args); }
ASNI_KERNEL(batch_norm_gradient_apply_bf16_any, BatchNormArgs, 256) { backward_apply<bf16, 1>(args); }

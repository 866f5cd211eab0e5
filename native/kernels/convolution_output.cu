// What goes with every convolution: dy *= activation'(y) with the bias gradient's partial sums, and the sum of the partial results that
// split products leave, in the order of the splits. Memory-bound: one read and one write of dy and, with an activation, one read of y; one
// read of the partials.
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"
#include "asni/channel_blocks.h"

using namespace asni;

struct CombineArgs {
    const float* partial;  // splits rows, split_elements apart (a multiple of 4)
    const float* bias;     // of channels elements, or null
    void* y;
    int64_t elements, split_elements;
    int channels, splits, activation, accumulate;
};

template <class T>
ASNI_DEVICE void combine(const CombineArgs& args) {
    T* y = static_cast<T*>(args.y);
    for (int64_t first = grid_thread() * 4; first < args.elements; first += grid_threads() * 4) {
        float4 sum = make_float4(0, 0, 0, 0);
        const float* from = args.partial + first;
        for (int i = 0; i < args.splits; i++, from += args.split_elements) {
            float4 part = *reinterpret_cast<const float4*>(from);
            sum.x += part.x;
            sum.y += part.y;
            sum.z += part.z;
            sum.w += part.w;
        }
        float sums[4] = {sum.x, sum.y, sum.z, sum.w};
        ASNI_UNROLL
        for (int e = 0; e < 4; e++) {
            if (first + e >= args.elements) break;
            float value = sums[e];
            if (args.bias != nullptr) value += args.bias[(first + e) % args.channels];
            value = activate(value, args.activation);
            if (args.accumulate) value += Storage<T>::load(y + first + e);
            Storage<T>::store(y + first + e, value);
        }
    }
}

ASNI_KERNEL(convolution_combine_fp32, CombineArgs, 256) { combine<float>(args); }
ASNI_KERNEL(convolution_combine_bf16, CombineArgs, 256) { combine<bf16>(args); }

struct OutputGradientArgs {
    const void* y;
    void* dy;
    float* partial;  // a row of split_elements for each block row of the grid, or null when there is no bias
    int64_t rows, split_elements;
    int channels, activation;
};

// Each thread has width neighbouring channels and a lane's rows of the block's share.
template <class T, int width>
ASNI_DEVICE void output_gradient(const OutputGradientArgs& args) {
    ChannelBlock<width> block(args.channels);
    const T* y = static_cast<const T*>(args.y) + block.channel;
    T* dy = static_cast<T*>(args.dy) + block.channel;
    float sums[width] = {};
    if (block.inside) {
        for (int64_t row = block.first_row(); row < args.rows; row += block.row_step()) {
            Lanes<T, width> gradient;
            gradient.load(dy + row * args.channels);
            if (args.activation != activation_none) {
                Lanes<T, width> output;
                output.load(y + row * args.channels);
                ASNI_UNROLL
                for (int e = 0; e < width; e++) {
                    if (!activation_passes(output.get(e), args.activation)) gradient.set(e, 0);
                }
                gradient.store(dy + row * args.channels);
            }
            ASNI_UNROLL
            for (int e = 0; e < width; e++) sums[e] += gradient.get(e);
        }
    }
    if (args.partial != nullptr) block.sum_rows(sums, args.partial + blockIdx.x * args.split_elements, 1);
}

ASNI_KERNEL(convolution_output_gradient_fp32, OutputGradientArgs, 256) { output_gradient<float, 4>(args); }
ASNI_KERNEL(convolution_output_gradient_fp32_any, OutputGradientArgs, 256) { output_gradient<float, 1>(args); }
ASNI_KERNEL(convolution_output_gradient_bf16, OutputGradientArgs, 256) { output_gradient<bf16, 8>(args); }
ASNI_KERNEL(convolution_output_gradient_bf16_any, OutputGradientArgs, 256) { output_gradient<bf16, 1>(args); }

// Depthwise convolution: every channel has its own R x S filter (a group of one input and one output channel). Too little arithmetic for a
// matrix product; each pass reads and writes its tensors about once, the neighbours' re-reads of the taps staying in the caches.
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"
#include "asni/channel_blocks.h"

using namespace asni;

// A thread computes width channels of one pixel; the grid strides over all.
template <class T, int width>
ASNI_DEVICE void depthwise_forward(const ConvolutionArgs& args) {
    const T *x = static_cast<const T*>(args.a), *w = static_cast<const T*>(args.b);
    T* y = static_cast<T*>(args.y);
    int blocks = args.channels / width, taps = args.filter_height * args.filter_width;
    int64_t count = int64_t(args.batch) * args.out_height * args.out_width * blocks;
    for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
        int channel = int(i % blocks) * width, pixel = int(i / blocks);
        int q = pixel % args.out_width, p = pixel / args.out_width % args.out_height, n = pixel / args.out_width / args.out_height;
        float sums[width] = {};
        for (int r = 0; r < args.filter_height; r++) {
            int h = p * args.stride - args.padding + r;
            if (unsigned(h) >= unsigned(args.height)) continue;
            for (int s = 0; s < args.filter_width; s++) {
                int column = q * args.stride - args.padding + s;
                if (unsigned(column) >= unsigned(args.width)) continue;
                Lanes<T, width> input;
                input.load(x + ((int64_t(n) * args.height + h) * args.width + column) * args.channels + channel);
                const T* tap = w + int64_t(channel) * taps + r * args.filter_width + s;
                ASNI_UNROLL
                for (int e = 0; e < width; e++) sums[e] = fmaf(input.get(e), Storage<T>::load(tap + e * taps), sums[e]);
            }
        }
        Lanes<T, width> output;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            if (args.bias != nullptr) sums[e] += args.bias[channel + e];
            output.set(e, activate(sums[e], args.activation));
        }
        output.store(y + int64_t(pixel) * args.channels + channel);
    }
}

template <class T, int width>
ASNI_DEVICE void depthwise_data_gradient(const ConvolutionArgs& args) {
    const T *dy = static_cast<const T*>(args.a), *w = static_cast<const T*>(args.b);
    T* dx = static_cast<T*>(args.y);
    int blocks = args.channels / width, taps = args.filter_height * args.filter_width;
    int64_t count = int64_t(args.batch) * args.height * args.width * blocks;
    for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
        int channel = int(i % blocks) * width, pixel = int(i / blocks);
        int column = pixel % args.width, h = pixel / args.width % args.height, n = pixel / args.width / args.height;
        float sums[width] = {};
        for (int r = 0; r < args.filter_height; r++) {
            int p = h + args.padding - r;
            if (p < 0 || p % args.stride != 0 || p / args.stride >= args.out_height) continue;
            for (int s = 0; s < args.filter_width; s++) {
                int q = column + args.padding - s;
                if (q < 0 || q % args.stride != 0 || q / args.stride >= args.out_width) continue;
                Lanes<T, width> gradient;
                gradient.load(dy + ((int64_t(n) * args.out_height + p / args.stride) * args.out_width + q / args.stride) * args.channels + channel);
                const T* tap = w + int64_t(channel) * taps + r * args.filter_width + s;
                ASNI_UNROLL
                for (int e = 0; e < width; e++) sums[e] = fmaf(gradient.get(e), Storage<T>::load(tap + e * taps), sums[e]);
            }
        }
        T* to = dx + int64_t(pixel) * args.channels + channel;
        Lanes<T, width> result;
        if (args.accumulate) result.load(to);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) result.set(e, args.accumulate ? sums[e] + result.get(e) : sums[e]);
        result.store(to);
    }
}

// Grid z = taps. A block sums its share of the output pixels for one tap; the shares are summed by convolution_combine.
template <class T, int width>
ASNI_DEVICE void depthwise_weight_gradient(const ConvolutionArgs& args) {
    ChannelBlock<width> block(args.channels);
    const T* dy = static_cast<const T*>(args.a) + block.channel;
    const T* x = static_cast<const T*>(args.b) + block.channel;
    int r = int(blockIdx.z) / args.filter_width, s = int(blockIdx.z) % args.filter_width;
    int64_t pixels = int64_t(args.batch) * args.out_height * args.out_width;
    float sums[width] = {};
    for (int64_t pixel = block.first_row(); block.inside && pixel < pixels; pixel += block.row_step()) {
        int q = int(pixel) % args.out_width, p = int(pixel) / args.out_width % args.out_height, n = int(pixel) / args.out_width / args.out_height;
        int h = p * args.stride - args.padding + r, column = q * args.stride - args.padding + s;
        if (unsigned(h) >= unsigned(args.height) || unsigned(column) >= unsigned(args.width)) continue;
        Lanes<T, width> gradient, input;
        gradient.load(dy + pixel * args.channels);
        input.load(x + ((int64_t(n) * args.height + h) * args.width + column) * args.channels);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) sums[e] = fmaf(gradient.get(e), input.get(e), sums[e]);
    }
    int taps = args.filter_height * args.filter_width;
    block.sum_rows(sums, args.partial + blockIdx.x * args.split_elements + blockIdx.z, taps);
}

#define ASNI_DEPTHWISE(type, precision, width, suffix)                                                                                        \
    ASNI_KERNEL(depthwise_forward_##precision##suffix, ConvolutionArgs, 256) { depthwise_forward<type, width>(args); }                        \
    ASNI_KERNEL(depthwise_data_gradient_##precision##suffix, ConvolutionArgs, 256) { depthwise_data_gradient<type, width>(args); }            \
    ASNI_KERNEL(depthwise_weight_gradient_##precision##suffix, ConvolutionArgs, 256) { depthwise_weight_gradient<type, width>(args); }

ASNI_DEPTHWISE(float, fp32, 4, )
ASNI_DEPTHWISE(float, fp32, 1, _any)
ASNI_DEPTHWISE(bf16, bf16, 8, )
ASNI_DEPTHWISE(bf16, bf16, 1, _any)

// Max pooling, which keeps each window's winner in a byte, and the mean over all positions. Memory-bound.
#include "asni/cuda.h"
#include "asni/convolution.h"

using namespace asni;

struct PoolingArgs {
    const void* from;
    void* to;
    uint8_t* winners;  // of each output; null in inference
    int64_t n;         // elements that threads run over: outputs forward, inputs backward
    int height, width, channels, out_height, out_width;
    int size, stride, padding, accumulate;
};

// One output a thread. The first of equals wins, and a NaN over everything, as in PyTorch.
template <class T>
ASNI_DEVICE void max_forward(const PoolingArgs& args) {
    const T* x = static_cast<const T*>(args.from);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        int64_t place = i / args.channels;
        int channel = int(i - place * args.channels), q = int(place % args.out_width);
        place /= args.out_width;
        int p = int(place % args.out_height);
        const T* image = x + (place / args.out_height) * args.height * args.width * args.channels + channel;
        float best = 0;
        int winner = -1;
        for (int r = 0; r < args.size; r++) {
            int h = p * args.stride - args.padding + r;
            if (h < 0 || h >= args.height) continue;
            for (int s = 0; s < args.size; s++) {
                int w = q * args.stride - args.padding + s;
                if (w < 0 || w >= args.width) continue;
                float value = Storage<T>::load(image + (int64_t(h) * args.width + w) * args.channels);
                if (winner >= 0 && (best >= value || best != best)) continue;
                best = value;
                winner = r * args.size + s;
            }
        }
        Storage<T>::store(static_cast<T*>(args.to) + i, best);
        if (args.winners != nullptr) args.winners[i] = uint8_t(winner);
    }
}

ASNI_KERNEL(max_pool_fp32, PoolingArgs, 256) { max_forward<float>(args); }
ASNI_KERNEL(max_pool_bf16, PoolingArgs, 256) { max_forward<bf16>(args); }

// One input a thread: it gathers from the windows that it won, so that nothing is added by two threads.
template <class T>
ASNI_DEVICE void max_backward(const PoolingArgs& args) {
    const T* dy = static_cast<const T*>(args.from);
    T* dx = static_cast<T*>(args.to);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        int64_t place = i / args.channels;
        int channel = int(i - place * args.channels), w = int(place % args.width) + args.padding;
        place /= args.width;
        int h = int(place % args.height) + args.padding;
        int64_t sample = place / args.height;
        int first_p = h < args.size ? 0 : (h - args.size) / args.stride + 1, first_q = w < args.size ? 0 : (w - args.size) / args.stride + 1;
        float sum = args.accumulate ? Storage<T>::load(dx + i) : 0.0f;
        for (int p = first_p; p <= h / args.stride && p < args.out_height; p++) {
            for (int q = first_q; q <= w / args.stride && q < args.out_width; q++) {
                int64_t at = ((sample * args.out_height + p) * args.out_width + q) * args.channels + channel;
                int inside = (h - p * args.stride) * args.size + w - q * args.stride;
                if (args.winners[at] == inside) sum += Storage<T>::load(dy + at);
            }
        }
        Storage<T>::store(dx + i, sum);
    }
}

ASNI_KERNEL(max_pool_backward_fp32, PoolingArgs, 256) { max_backward<float>(args); }
ASNI_KERNEL(max_pool_backward_bf16, PoolingArgs, 256) { max_backward<bf16>(args); }

// One channel of one sample a thread.
template <class T>
ASNI_DEVICE void mean_forward(const PoolingArgs& args) {
    int positions = args.height * args.width;
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        const T* x = static_cast<const T*>(args.from) + i / args.channels * positions * args.channels + i % args.channels;
        float sum = 0;
        for (int p = 0; p < positions; p++) sum += Storage<T>::load(x + int64_t(p) * args.channels);
        Storage<T>::store(static_cast<T*>(args.to) + i, sum / float(positions));
    }
}

ASNI_KERNEL(mean_pool_fp32, PoolingArgs, 256) { mean_forward<float>(args); }
ASNI_KERNEL(mean_pool_bf16, PoolingArgs, 256) { mean_forward<bf16>(args); }

template <class T>
ASNI_DEVICE void mean_backward(const PoolingArgs& args) {
    int positions = args.height * args.width;
    T* dx = static_cast<T*>(args.to);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        int64_t sample = i / args.channels / positions;
        float d = Storage<T>::load(static_cast<const T*>(args.from) + sample * args.channels + i % args.channels) / float(positions);
        Storage<T>::store(dx + i, args.accumulate ? Storage<T>::load(dx + i) + d : d);
    }
}

ASNI_KERNEL(mean_pool_backward_fp32, PoolingArgs, 256) { mean_backward<float>(args); }
ASNI_KERNEL(mean_pool_backward_bf16, PoolingArgs, 256) { mean_backward<bf16>(args); }

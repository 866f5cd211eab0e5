// Max pooling, which keeps each window's winner in a byte, and the mean over all positions. Memory-bound: a thread has a chunk of 16 bytes of
// channels, or a single channel where their number is no multiple of that (_any).
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"
#include "asni/channel_blocks.h"

using namespace asni;

struct PoolingArgs {
    const void* from;
    void* to;
    uint8_t* winners;  // of each output; null in inference
    int64_t n;         // chunks that threads run over: of outputs forward, of inputs backward
    int height, width, channels, out_height, out_width;
    int size, stride, padding, accumulate;
};

// A byte for each element of a chunk, loaded and stored at once.
template <int width>
struct Winners {
    unsigned words[width > 4 ? 2 : 1] = {};

    ASNI_DEVICE unsigned get(int i) const { return words[i / 4] >> (i % 4 * 8) & 255; }
    ASNI_DEVICE void set(int i, unsigned winner) { words[i / 4] |= winner << (i % 4 * 8); }

    ASNI_DEVICE void load(const uint8_t* from) {
        if constexpr (width == 8) {
            uint2 bits = *reinterpret_cast<const uint2*>(from);
            words[0] = bits.x;
            words[1] = bits.y;
        } else if constexpr (width == 4) {
            words[0] = *reinterpret_cast<const unsigned*>(from);
        } else {
            words[0] = *from;
        }
    }

    ASNI_DEVICE void store(uint8_t* to) const {
        if constexpr (width == 8) *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
        else if constexpr (width == 4) *reinterpret_cast<unsigned*>(to) = words[0];
        else *to = uint8_t(words[0]);
    }
};

// Calls body(i, place) for each of a thread's chunks i of args.n: place.x counts chunks of channels, y columns of them, z the rest. From chunk to
// chunk only the first place takes divisions.
template <int width, class F>
ASNI_DEVICE void for_each_chunk(const PoolingArgs& args, int columns, F body) {
    Radix radix(args.channels / width, columns, int(grid_threads()));
    Place place;
    place.set(radix, int(grid_thread()));
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads(), place.advance(radix)) body(i, place);
}

// The taps [from, to) of a window along one axis that lie inside the input; tap 0 is at start.
struct Taps {
    int start, from, to;

    ASNI_DEVICE Taps(const PoolingArgs& args, int window, int extent)
        : start(window * args.stride - args.padding), from(max(0, -start)), to(min(args.size, extent - start)) {}
};

// The first of equals wins, and a NaN over everything, as in PyTorch.
template <class T, int width>
ASNI_DEVICE void max_forward(const PoolingArgs& args) {
    for_each_chunk<width>(args, args.out_width, [&](int64_t i, const Place& place) {
        int sample = place.z / args.out_height;
        Taps rows(args, place.z - sample * args.out_height, args.height), columns(args, place.y, args.width);
        // The first tap wins unless a later one is above it: there is always one, as the padding is narrower than the window.
        float best[width];
        unsigned winner[width];
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            best[e] = -__uint_as_float(0x7f800000u);
            winner[e] = unsigned(rows.from * args.size + columns.from);
        }
        for (int r = rows.from; r < rows.to; r++) {
            const T* line = static_cast<const T*>(args.from)
                + (int64_t(sample * args.height + rows.start + r) * args.width + columns.start) * args.channels + place.x * width;
            for (int s = columns.from; s < columns.to; s++) {
                Lanes<T, width> values;
                values.load(line + int64_t(s) * args.channels);
                ASNI_UNROLL
                for (int e = 0; e < width; e++) {
                    float value = values.get(e);
                    if (best[e] >= value || best[e] != best[e]) continue;
                    best[e] = value;
                    winner[e] = unsigned(r * args.size + s);
                }
            }
        }
        Lanes<T, width> y;
        Winners<width> winners;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            y.set(e, best[e]);
            winners.set(e, winner[e]);
        }
        y.store(static_cast<T*>(args.to) + i * width);
        if (args.winners != nullptr) winners.store(args.winners + i * width);
    });
}

// A chunk of inputs gathers from the windows that it won, so that nothing is added by two threads: the windows p over its row h are those whose
// tap r = h + padding - p * stride is below size.
template <class T, int width>
ASNI_DEVICE void max_backward(const PoolingArgs& args) {
    T* dx = static_cast<T*>(args.to);
    for_each_chunk<width>(args, args.width, [&](int64_t i, const Place& place) {
        int sample = place.z / args.height;
        int h = place.z - sample * args.height + args.padding, w = place.y + args.padding;
        int last_p = h / args.stride, last_q = w / args.stride;
        Lanes<T, width> result;
        if (args.accumulate) result.load(dx + i * width);
        float sums[width];
        ASNI_UNROLL
        for (int e = 0; e < width; e++) sums[e] = result.get(e);
        for (int p = last_p, r = h - last_p * args.stride; p >= 0 && r < args.size; p--, r += args.stride) {
            if (p >= args.out_height) continue;
            int64_t line = int64_t(sample * args.out_height + p) * args.out_width;
            for (int q = last_q, s = w - last_q * args.stride; q >= 0 && s < args.size; q--, s += args.stride) {
                if (q >= args.out_width) continue;
                int64_t at = (line + q) * args.channels + place.x * width;
                Winners<width> winners;
                Lanes<T, width> dy;
                winners.load(args.winners + at);
                dy.load(static_cast<const T*>(args.from) + at);
                unsigned inside = unsigned(r * args.size + s);
                ASNI_UNROLL
                for (int e = 0; e < width; e++) {
                    if (winners.get(e) == inside) sums[e] += dy.get(e);
                }
            }
        }
        ASNI_UNROLL
        for (int e = 0; e < width; e++) result.set(e, sums[e]);
        result.store(dx + i * width);
    });
}

// A chunk of a sample's channels: a few positions are loaded before the first is added.
template <class T, int width>
ASNI_DEVICE void mean_forward(const PoolingArgs& args) {
    constexpr int flight = 8;
    int positions = args.height * args.width;
    for_each_chunk<width>(args, 1, [&](int64_t i, const Place& place) {
        const T* x = static_cast<const T*>(args.from) + int64_t(place.z) * positions * args.channels + place.x * width;
        float sums[width] = {};
        for (int first = 0; first < positions; first += flight) {
            Lanes<T, width> values[flight];
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) {
                if (first + j < positions) values[j].load(x + int64_t(first + j) * args.channels);
            }
            ASNI_UNROLL
            for (int j = 0; j < flight; j++) {
                ASNI_UNROLL
                for (int e = 0; e < width; e++) sums[e] += values[j].get(e);
            }
        }
        Lanes<T, width> y;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) y.set(e, sums[e] / float(positions));
        y.store(static_cast<T*>(args.to) + i * width);
    });
}

template <class T, int width>
ASNI_DEVICE void mean_backward(const PoolingArgs& args) {
    int positions = args.height * args.width;
    T* dx = static_cast<T*>(args.to);
    for_each_chunk<width>(args, positions, [&](int64_t i, const Place& place) {
        Lanes<T, width> gradient, result;
        gradient.load(static_cast<const T*>(args.from) + int64_t(place.z) * args.channels + place.x * width);
        if (args.accumulate) result.load(dx + i * width);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) result.set(e, result.get(e) + gradient.get(e) / float(positions));
        result.store(dx + i * width);
    });
}

#define ASNI_POOLING(type, precision, width, suffix)                                                           \
    ASNI_KERNEL(max_pool_##precision##suffix, PoolingArgs, 256) { max_forward<type, width>(args); }            \
    ASNI_KERNEL(max_pool_backward_##precision##suffix, PoolingArgs, 256) { max_backward<type, width>(args); }  \
    ASNI_KERNEL(mean_pool_##precision##suffix, PoolingArgs, 256) { mean_forward<type, width>(args); }          \
    ASNI_KERNEL(mean_pool_backward_##precision##suffix, PoolingArgs, 256) { mean_backward<type, width>(args); }

ASNI_POOLING(float, fp32, 4, )
ASNI_POOLING(float, fp32, 1, _any)
ASNI_POOLING(bf16, bf16, 8, )
ASNI_POOLING(bf16, bf16, 1, _any)

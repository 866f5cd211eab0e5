// Channels added and taken away: images of 3 channels get zeros up to the 16 bytes that the fast convolution kernels read at once. Memory-bound.
#include "asni/cuda.h"
#include "asni/mma.h"
#include "asni/convolution.h"

using namespace asni;

struct ChannelsArgs {
    const void* x;  // rows of from channels
    void* y;        // rows of to channels
    int64_t rows;
    int from, to;
};

// y has x's channels and zeros behind them; its rows are whole chunks.
template <class T>
ASNI_DEVICE void pad_channels(const ChannelsArgs& args) {
    constexpr int width = Chunk<T>::count;
    int chunks = args.to / width;
    for (int64_t i = grid_thread(); i < args.rows * chunks; i += grid_threads()) {
        int64_t row = i / chunks;
        int first = int(i % chunks) * width;
        const T* from = static_cast<const T*>(args.x) + row * args.from + first;
        Chunk<T> chunk;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) chunk.elements[e] = first + e < args.from ? from[e] : T{};
        copy_chunk(static_cast<T*>(args.y) + i * width, &chunk);
    }
}

ASNI_KERNEL(pad_channels_fp32, ChannelsArgs, 256) { pad_channels<float>(args); }
ASNI_KERNEL(pad_channels_bf16, ChannelsArgs, 256) { pad_channels<bf16>(args); }

// y has x's first channels.
ASNI_KERNEL(drop_channels_fp32, ChannelsArgs, 256) {
    const float* x = static_cast<const float*>(args.x);
    float* y = static_cast<float*>(args.y);
    for (int64_t i = grid_thread(); i < args.rows * args.to; i += grid_threads()) y[i] = x[i / args.to * args.from + i % args.to];
}

// Blocks of 256 threads over (rows, channels) of an NHWC tensor: columns of width channels side by side, at most 32 and no more than the channels
// ask for, and lanes along the rows, so that few channels leave few threads idle.
// Grid: x = shares of the rows, y = blocks of columns * width channels. ChannelBlocks of the launchers says the same.
#pragma once

namespace asni {

// width neighbouring elements, loaded and stored at once when they are 16 bytes.
template <class T, int width>
struct Lanes {
    union {
        uint4 bits = {0, 0, 0, 0};
        T elements[width];
    };

    ASNI_DEVICE void load(const T* from) {
        if constexpr (width * sizeof(T) == 16) bits = *reinterpret_cast<const uint4*>(from);
        else elements[0] = *from;
    }

    ASNI_DEVICE void store(T* to) const {
        if constexpr (width * sizeof(T) == 16) *reinterpret_cast<uint4*>(to) = bits;
        else *to = elements[0];
    }

    ASNI_DEVICE float get(int i) const { return Storage<T>::load(elements + i); }
    ASNI_DEVICE void set(int i, float x) { Storage<T>::store(elements + i, x); }
};

template <int width>
struct ChannelBlock {
    static constexpr int warps = 8;
    int columns, lanes;  // powers of two
    int column, lane, channel;
    bool inside;

    ASNI_DEVICE explicit ChannelBlock(int channels) {
        int chunks = ceil_divide(channels, width), shift = chunks > 16 ? 5 : 32 - __clz(chunks - 1);
        columns = 1 << shift;
        lanes = warps * warp_size >> shift;
        column = int(threadIdx.x) & (columns - 1);
        lane = int(threadIdx.x) >> shift;
        channel = (int(blockIdx.y) * columns + column) * width;
        inside = channel < channels;
    }

    ASNI_DEVICE int64_t first_row() const { return int64_t(blockIdx.x) * lanes + lane; }
    ASNI_DEVICE int64_t row_step() const { return int64_t(gridDim.x) * lanes; }

    // Whether this thread's place in its warp is the first that has its channels: it speaks for the warp.
    ASNI_DEVICE bool speaks() const { return lane_index() < columns && inside; }

    // The sum over the warp's threads of the same column, in a fixed order.
    template <class Sum>
    ASNI_DEVICE Sum sum_warp(Sum value) const {
        for (int step = columns; step < warp_size; step *= 2) value += __shfl_xor_sync(all_lanes, value, step);
        return value;
    }

    // result[channel * pitch] = the sum of the lanes' values: within warps first, then the warps' sums in their order, each warp its elements.
    ASNI_DEVICE void sum_rows(const float (&values)[width], float* result, int pitch) const {
        ASNI_SHARED(float, shared, warps * warp_size * width);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float sum = sum_warp(values[e]);
            if (lane_index() < columns) shared[(warp_index() * width + e) * warp_size + column] = sum;
        }
        __syncthreads();
        if (!speaks()) return;
        for (int e = warp_index(); e < width; e += warps) {
            float sum = 0;
            ASNI_UNROLL
            for (int i = 0; i < warps; i++) sum += shared[(i * width + e) * warp_size + column];
            result[int64_t(channel + e) * pitch] = sum;
        }
    }
};

}  // namespace asni

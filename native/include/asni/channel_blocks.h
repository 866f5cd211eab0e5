// Blocks of 256 threads over (rows, channels) of an NHWC tensor: 32 threads side by side along the channels, 8 along the rows.
// Grid: x = shares of the rows, y = blocks of 32 * width channels.
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
    static constexpr int columns = 32, lanes = 8;
    int column, lane, channel;
    bool inside;

    ASNI_DEVICE explicit ChannelBlock(int channels)
        : column(int(threadIdx.x) % columns), lane(int(threadIdx.x) / columns),
          channel((int(blockIdx.y) * columns + column) * width), inside(channel < channels) {}

    ASNI_DEVICE int64_t first_row() const { return int64_t(blockIdx.x) * lanes + lane; }
    ASNI_DEVICE int64_t row_step() const { return int64_t(gridDim.x) * lanes; }

    // result[channel * pitch] = the sum of the 8 lanes' values, in their order.
    ASNI_DEVICE void sum_rows(const float (&values)[width], float* result, int pitch) const {
        ASNI_SHARED(float, shared, lanes * columns * width);
        ASNI_UNROLL
        for (int e = 0; e < width; e++) shared[(lane * width + e) * columns + column] = values[e];
        __syncthreads();
        if (lane != 0 || !inside) return;
        ASNI_UNROLL
        for (int e = 0; e < width; e++) {
            float sum = 0;
            ASNI_UNROLL
            for (int i = 0; i < lanes; i++) sum += shared[(i * width + e) * columns + column];
            result[int64_t(channel + e) * pitch] = sum;
        }
    }
};

}  // namespace asni

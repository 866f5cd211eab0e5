// How parameters lie on the device: all of a network's in one arena of floats, each from an offset that is a multiple of 64, convolution and
// linear weights in the order (output, position, input). A mask is one bit an element of the arena, 32 a word. Kernels run over lists of
// chunks of 1,024 elements.
#pragma once

namespace asni {

struct Segment {
    int64_t offset, count;
    int inputs, positions;  // of a filter; 1 and 1 for a vector
    int decays;             // 0: weight decay only when it is for vectors too
    int index;
};

struct Chunk {
    int segment, first;  // first element, within the segment
};

constexpr int chunk_elements = 1024, chunk_threads = 256;

struct Arena {
    float* values;
    float* gradients;
    float* state0;
    float* state1;
    uint32_t* masks;
    bf16* copies;  // of the values, for the products; null in fp32
    const Segment* segments;
};

ASNI_DEVICE bool lives(const Arena& arena, int64_t at) { return arena.masks[at >> 5] >> (at & 31) & 1; }

ASNI_DEVICE void set_value(const Arena& arena, int64_t at, float value) {
    arena.values[at] = value;
    if (arena.copies != nullptr) arena.copies[at] = bf16::from_float(value);
}

// The place within its segment of the element that PyTorch (output, input, position) counts as j-th.
ASNI_DEVICE int64_t device_order(const Segment& segment, int64_t j) {
    int fan_in = segment.inputs * segment.positions;
    int64_t output = j / fan_in;
    int rest = int(j - output * fan_in);
    return output * fan_in + rest % segment.positions * segment.inputs + rest / segment.positions;
}

ASNI_DEVICE uint32_t magnitude_bits(float x) { return __float_as_uint(x) & 0x7fffffffu; }

// The sum over the block, in the threads' order, to every thread.
template <class T>
ASNI_DEVICE T block_sum(T value, T* shared) {
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int step = chunk_threads / 2; step > 0; step /= 2) {
        if (int(threadIdx.x) < step) shared[threadIdx.x] += shared[threadIdx.x + step];
        __syncthreads();
    }
    return shared[0];
}

}  // namespace asni

// How parameters lie on the device: all of a network's in one arena of floats, each from an offset that is a multiple of 64, convolution and
// linear weights in the order (output, position, input). A mask is one bit an element of the arena, 32 a word. Kernels run over lists of
// chunks of 1,024 elements.
#pragma once

#include "asni/mma.h"  // ASNI_UNROLL

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

// A chunk as one warp holds it: vector k of a lane has the elements from 128 k + 4 lane on, and bit 4 k + e of live tells whether its e-th is
// there and not pruned. All loads are independent of each other, so that a warp waits for the memory once a chunk.
constexpr int chunk_vectors = chunk_elements / (4 * warp_size), chunk_warps = chunk_threads / warp_size;

struct WarpChunk {
    float4 values[chunk_vectors];
    uint32_t live;
};

// The element that a bit of live stands for; the bit must be known when compiling.
ASNI_DEVICE float chunk_value(const WarpChunk& chunk, int bit) {
    const float4& v = chunk.values[bit / 4];
    return bit % 4 == 0 ? v.x : bit % 4 == 1 ? v.y : bit % 4 == 2 ? v.z : v.w;
}

// Where in the chunk the element is that a bit of live stands for.
ASNI_DEVICE int chunk_place(int bit) { return bit / 4 * (4 * warp_size) + int(threadIdx.x) % warp_size * 4 + bit % 4; }

// Of the arena's values, or of other numbers that lie as they do.
ASNI_DEVICE WarpChunk load_chunk(const Arena& arena, const float* numbers, const Segment& segment, int first) {
    static_assert(chunk_vectors * 4 == 32, "a bit an element of a lane");
    int lane = int(threadIdx.x) % warp_size;
    int rest = int(segment.count - first < chunk_elements ? segment.count - first : chunk_elements);
    int64_t at = segment.offset + first;  // a multiple of 64
    // The mask's words of the chunk, one a lane, without what lies behind the segment's end.
    int bits = rest - lane * 32;
    uint32_t word = bits > 0 ? arena.masks[(at >> 5) + lane] : 0;
    if (bits > 0 && bits < 32) word &= (1u << bits) - 1;
    const float4* values = reinterpret_cast<const float4*>(numbers + at);
    WarpChunk chunk;
    ASNI_UNROLL
    for (int k = 0; k < chunk_vectors; k++) {
        int vector = k * warp_size + lane;
        chunk.values[k] = values[vector * 4 < rest ? vector : 0];
    }
    chunk.live = 0;
    ASNI_UNROLL
    for (int k = 0; k < chunk_vectors; k++)
        chunk.live |= (__shfl_sync(all_lanes, word, k * 4 + lane / 8) >> (lane % 8 * 4) & 15u) << (k * 4);
    return chunk;
}

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

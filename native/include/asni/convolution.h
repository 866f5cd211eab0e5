// What the convolution kernels share: their argument and the arithmetic of its shapes. Letters as in the field:
//   N batch; H W C input height, width, channels; P Q K output height, width, channels; R S filter height, width; all of a group of channels.
// Activations are NHWC, weights (K, R, S, C / groups). A fully connected layer is a 1x1 convolution of 1x1 images.
#pragma once

#include "asni/activation.h"

namespace asni {

struct ConvolutionArgs {
    const void* a;      // forward: x; data gradient: dy; weight gradient: dy
    const void* b;      // forward and data gradient: w; weight gradient: x
    void* y;            // the result
    float* partial;     // splits > 1: fp32 partial results, split_elements apart
    const float* bias;  // forward only, may be null
    const uint32_t* live;  // one bit a block of 64 filter elements, live_words words a row of 64 outputs; null: all live
    float* statistics;  // forward, not split: of each tile of rows, a channel's sum and its squared deviations from the tile's mean; or null
    int64_t split_elements;
    int batch, height, width, channels;
    int out_height, out_width, out_channels;
    int filter_height, filter_width, stride, padding, groups;
    int splits, activation, accumulate, live_words;
};

ASNI_DEVICE int ceil_divide(int a, int b) { return (a + b - 1) / b; }

template <class T> struct Storage;
template <> struct Storage<float> {
    static ASNI_DEVICE float load(const float* p) { return *p; }
    static ASNI_DEVICE void store(float* p, float x) { *p = x; }
};
template <> struct Storage<bf16> {
    static ASNI_DEVICE float load(const bf16* p) { return p->to_float(); }
    static ASNI_DEVICE void store(bf16* p, float x) { *p = bf16::from_float(x); }
};

// Numbers in the mixed radix (z, y, x) with y < ny and x < nx that advance by a fixed step without dividing. Divisions are passed over where all
// threads see that they are not needed: a block of a 1x1 convolution would spend a large part of its time on them.
struct Radix {
    int nx, ny, dx, dy, dz;
    ASNI_DEVICE Radix(int nx, int ny, int step) : nx(nx), ny(ny), dx(step), dy(0), dz(0) {
        if (step < nx) return;
        dx = step % nx;
        dy = step / nx % ny;
        dz = step / nx / ny;
    }
};

struct Place {
    int x, y, z;

    ASNI_DEVICE void set(const Radix& radix, int number) {
        x = y = 0;
        z = number;
        if (radix.nx == 1 && radix.ny == 1) return;
        x = number % radix.nx;
        y = number / radix.nx % radix.ny;
        z = number / radix.nx / radix.ny;
    }

    ASNI_DEVICE void advance(const Radix& radix) {
        x += radix.dx;
        y += radix.dy;
        z += radix.dz;
        if (x >= radix.nx) { x -= radix.nx; y++; }
        if (y >= radix.ny) { y -= radix.ny; z++; }
    }

    ASNI_DEVICE void increment(const Radix& radix) {
        if (++x == radix.nx) { x = 0; y++; }
        if (y == radix.ny) { y = 0; z++; }
    }
};

// With stride s the pixels of an input whose (h + padding) % s is the same meet the same taps of the filter, every s-th one from there:
// the data gradient is s * s convolutions of stride 1, one for each such class. This is one axis of a class.
struct ClassAxis {
    int first, count, taps, shift;  // pixels first + i * stride; pixel i meets output i + shift - j through tap offset + j * stride

    ASNI_DEVICE ClassAxis(int offset, int size, int filter, int stride, int padding) {
        int rest = (offset - padding) % stride;
        first = rest < 0 ? rest + stride : rest;
        count = size > first ? ceil_divide(size - first, stride) : 0;
        taps = filter > offset ? ceil_divide(filter - offset, stride) : 0;
        shift = (first + padding - offset) / stride;
    }
};

// 16 bytes of elements as registers.
template <class T>
union Chunk {
    static constexpr int count = 16 / sizeof(T);
    uint4 bits;
    T elements[count];
};

// The block's tile and its part of the inner dimension.
struct Product {
    int rows, columns, first_row, first_column, first_tile, tiles;

    ASNI_DEVICE Product(int rows, int columns, int inner, int tile_rows, int tile_columns, int tile_inner, int splits)
        : rows(rows), columns(columns) {
        int across = ceil_divide(columns, tile_columns);
        first_row = int(blockIdx.x) / across * tile_rows;
        first_column = int(blockIdx.x) % across * tile_columns;
        int total = ceil_divide(inner, tile_inner), each = ceil_divide(total, splits);
        first_tile = int(blockIdx.y) * each;
        tiles = min(each, total - first_tile);
    }
};

}  // namespace asni

// What lanes bring to a matrix product in the simulator, and the product itself, which is compiled apart from the kernels: there every
// access is checked, and a product has thousands that need none.
#pragma once

#include <cstdint>

#include "asni/simulator.h"

namespace asni::sim {

struct Mma {
    float* d;
    const uint32_t *a, *b;
};

// d += a b of all 32 lanes' tiles, each sum in the order of k; see asni/mma.h for who holds what.
void multiply_bf16(void* const lanes[32]);
void multiply_tf32(void* const lanes[32]);

// An operand of wgmma.mma_async, see asni/wgmma.h.
struct WarpgroupOperand {
    const unsigned char* start;
    int leading, stride;
    bool along_inner;

    // The chunk of 8 elements that begins at (row, k).
    const unsigned char* chunk(int row, int k) const {
        size_t offset = along_inner ? size_t(row) / 8 * stride + row % 8 * 128 + k * 2
                                    : size_t(row) / 64 * leading + size_t(k) / 8 * stride + k % 8 * 128 + row % 64 * 2;
        size_t address = size_t(start) + offset;
        return reinterpret_cast<const unsigned char*>(address ^ (address >> 7 & 7) << 4);
    }

    // values[row][k] of count rows from the first on and 16 inner indices; the accesses are checked as a kernel's.
    void read(uint16_t (*values)[16], int first_row, int count) const {
        uint16_t eight[8];
        for (int i = 0; i < count * 2; i++) {
            int row = along_inner ? i / 2 : i / 16 * 8, k = along_inner ? i % 2 * 8 : i % 16;
            copy(eight, chunk(first_row + row, k), 16);
            for (int e = 0; e < 8; e++) values[along_inner ? row : row + e][along_inner ? k + e : k] = eight[e];
        }
    }
};

// What a lane brings to a product of its warpgroup: of d the elements that it holds.
struct WarpgroupProduct {
    float* d;
    WarpgroupOperand a, b;
    int n;
    uint64_t seen;  // in lane 0: a digest of the operands when the product began
};

// What a warp reads for a product over 16 inner indices.
struct WarpgroupOperands {
    uint16_t a[16][16], b[256][16];

    explicit WarpgroupOperands(const WarpgroupProduct& product) : b{} {
        product.a.read(a, int(current->warp) % 4 * 16, 16);
        product.b.read(b, 0, product.n);
    }

    uint64_t digest() const {
        uint64_t digest = 14695981039346656037u;  // FNV-1a
        for (const auto& row : a) {
            for (uint16_t element : row) digest = (digest ^ element) * 1099511628211u;
        }
        for (const auto& row : b) {
            for (uint16_t element : row) digest = (digest ^ element) * 1099511628211u;
        }
        return digest;
    }
};

// d += a b for 16 rows of a and n of b, both bf16, each sum in the order of k.
void multiply_rows(void* const lanes[32], const uint16_t (*a)[16], const uint16_t (*b)[16], int n);

// A product begins: on a GPU its operands may be read from here on.
inline void begin_warpgroup_product(void* const lanes[32]) {
    WarpgroupProduct& first = *static_cast<WarpgroupProduct*>(lanes[0]);
    first.seen = WarpgroupOperands(first).digest();
}

// A product ends: on a GPU its operands may be read until here. The part of one warp, 16 inner indices.
inline void end_warpgroup_product(void* const lanes[32]) {
    const WarpgroupProduct& first = *static_cast<const WarpgroupProduct*>(lanes[0]);
    WarpgroupOperands operands(first);
    if (operands.digest() != first.seen) fail("wgmma.mma_async: an operand in shared memory changed between the product and the wait for it");
    multiply_rows(lanes, operands.a, operands.b, first.n);
}

}  // namespace asni::sim

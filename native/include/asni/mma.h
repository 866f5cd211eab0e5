// The tensor-core instructions and their helpers, the only inline PTX of the matrix kernels: asynchronous copies, ldmatrix, mma.sync.
// Each has a twin for the simulator with the lane and register mapping of the PTX ISA, so that a kernel that runs there
// has its operands where the hardware looks for them. Include after asni/cuda.h.
#pragma once

#if defined(ASNI_SIMULATOR)
#include <vector>

#include "asni/simulator_mma.h"
#endif

// Before a loop whose arrays must stay in registers.
#if defined(ASNI_SIMULATOR)
#define ASNI_UNROLL
#else
#define ASNI_UNROLL _Pragma("unroll")
#endif

namespace asni {

// An address in shared memory: 32 bits on a GPU, a pointer in the simulator.
struct SharedAddress {
#if defined(ASNI_SIMULATOR)
    unsigned char* address;
    static SharedAddress of(void* pointer) { return {static_cast<unsigned char*>(pointer)}; }
#else
    uint32_t address;
    ASNI_DEVICE static SharedAddress of(void* pointer) { return {shared_address(pointer)}; }
#endif
    ASNI_DEVICE SharedAddress operator+(int bytes) const { return {address + bytes}; }
};

#if defined(ASNI_SIMULATOR)
// What runs while its thread goes on, committed in groups and done in their order when it is waited for.
template <class Item>
struct CommitGroups {
    std::vector<Item> open;
    std::vector<std::vector<Item>> groups;

    void commit() {
        groups.push_back(std::move(open));
        open.clear();
    }

    template <class F>
    void wait(size_t pending, F finish) {
        while (groups.size() > pending) {
            for (Item& item : groups.front()) finish(item);
            groups.erase(groups.begin());
        }
    }
};
#endif

// Copies of 16 or 4 bytes from global to shared memory that run while the thread goes on. They are committed in groups, and wait<n> waits
// until at most n of the thread's groups are still under way. The simulator copies as late as it may: a missing wait is seen.
struct AsyncCopies {
#if defined(ASNI_SIMULATOR)
    struct Copy {
        unsigned char* to;
        const void* from;
        bool valid;
        size_t bytes;
    };
    CommitGroups<Copy> copies;

    void copy(SharedAddress to, const void* from, bool valid, size_t bytes) {
        if (size_t(to.address) % bytes != 0 || (valid && size_t(from) % bytes != 0))
            sim::fail("cp.async of %zu bytes: an address is not a multiple of it", bytes);
        copies.open.push_back({to.address, from, valid, bytes});
    }

    void copy16(SharedAddress to, const void* from, bool valid) { copy(to, from, valid, 16); }
    void copy4(SharedAddress to, const void* from, bool valid) { copy(to, from, valid, 4); }

    void commit() { copies.commit(); }

    template <int pending>
    void wait() {
        copies.wait(pending, [](const Copy& copy) {
            if (copy.valid) memcpy(copy.to, copy.from, copy.bytes);
            else memset(copy.to, 0, copy.bytes);
        });
    }
#else
    // Without valid nothing is read and the bytes become 0.
    ASNI_DEVICE void copy16(SharedAddress to, const void* from, bool valid) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to.address), "l"(from), "r"(valid ? 16 : 0) : "memory");
    }

    ASNI_DEVICE void copy4(SharedAddress to, const void* from, bool valid) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to.address), "l"(from), "r"(valid ? 4 : 0) : "memory");
    }

    ASNI_DEVICE void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

    template <int pending>
    ASNI_DEVICE void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
#endif
};

#if defined(ASNI_SIMULATOR)

namespace sim {

struct LdMatrix {
    const unsigned char* row;
    uint32_t* values;
};

template <bool transposed>
void ldmatrix_x4(SharedAddress row, uint32_t values[4], const char* name) {
    if (size_t(row.address) % 16 != 0) fail("%s: a row address is not a multiple of 16", name);
    LdMatrix mine{row.address, values};
    warp_operation(all_lanes, name, &mine, [](void* const lanes[32]) {
        for (int matrix = 0; matrix < 4; matrix++) {
            uint16_t elements[8][8];
            for (int i = 0; i < 8; i++) memcpy(elements[i], static_cast<LdMatrix*>(lanes[matrix * 8 + i])->row, 16);
            for (int lane = 0; lane < 32; lane++) {
                int g = lane / 4, t = lane % 4 * 2;
                uint32_t first = transposed ? elements[t][g] : elements[g][t], second = transposed ? elements[t + 1][g] : elements[g][t + 1];
                static_cast<LdMatrix*>(lanes[lane])->values[matrix] = first | second << 16;
            }
        }
    });
}

}  // namespace sim

inline void ldmatrix_x4(uint32_t (&values)[4], SharedAddress row) { sim::ldmatrix_x4<false>(row, values, "ldmatrix.x4"); }
inline void ldmatrix_x4_transposed(uint32_t (&values)[4], SharedAddress row) { sim::ldmatrix_x4<true>(row, values, "ldmatrix.x4.trans"); }

inline uint32_t load_shared32(SharedAddress from) {
    uint32_t value;
    memcpy(&value, from.address, 4);
    return value;
}

inline uint32_t round_to_tf32(uint32_t value) {
    return (value & 0x7f800000u) == 0x7f800000u ? value & 0xffffe000u : (value + 0x1000u) & 0xffffe000u;
}

// Element (row, column) of A is half (column % 2) of register a[row / 8 + 2 * (column / 8)] in lane (row % 8) * 4 + column % 8 / 2;
// element (row, column) of B is half (row % 2) of b[row / 8] in lane column * 4 + row % 8 / 2;
// element (row, column) of D is d[row / 8 * 2 + column % 2] in lane (row % 8) * 4 + column / 2.
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    sim::Mma mine{d, a, b};
    sim::warp_operation(all_lanes, "mma.m16n8k16.bf16", &mine, sim::multiply_bf16);
}

// Element (row, column) of A is a[row / 8 + 2 * (column / 4)] in lane (row % 8) * 4 + column % 4;
// element (row, column) of B is b[row / 4] in lane column * 4 + row % 4; D as above. The lower 13 bits of A and B are ignored.
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    sim::Mma mine{d, a, b};
    sim::warp_operation(all_lanes, "mma.m16n8k8.tf32", &mine, sim::multiply_tf32);
}

#else

// Four 8x8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8 and gets two neighbours of row
// lane / 4 (transposed: of column lane / 4) of each matrix.
ASNI_DEVICE void ldmatrix_x4(uint32_t (&values)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3]) : "r"(row.address) : "memory");
}

ASNI_DEVICE void ldmatrix_x4_transposed(uint32_t (&values)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3]) : "r"(row.address) : "memory");
}

ASNI_DEVICE uint32_t load_shared32(SharedAddress from) {
    uint32_t value;
    asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(from.address) : "memory");
    return value;
}

// To nearest, ties away from zero.
ASNI_DEVICE uint32_t round_to_tf32(uint32_t value) {
    uint32_t rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(value)));
    return rounded;
}

// d += a b for 16x16 by 16x8 (bf16) and 16x8 by 8x8 (tf32) tiles, accumulated in fp32.
ASNI_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

ASNI_DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif

}  // namespace asni

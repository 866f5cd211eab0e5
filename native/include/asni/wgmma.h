// Hopper's matrix products (wgmma, compute capability 9.0 with its own features, target sm_90a): four successive warps, a warpgroup, multiply
// tiles straight from shared memory while their threads go on. Each has a twin for the simulator. Include after asni/mma.h.
// Source: PTX ISA 8.0, "Asynchronous warpgroup level matrix instructions".
#pragma once

namespace asni {

// An operand in shared memory in 128-byte rows whose chunks of 16 bytes are permuted by the row (chunk ^ row % 8), beginning at a multiple of
// 1,024 bytes but for the offset of an inner index; 16-bit elements.
//   K-major: a row holds 64 inner indices of one of the operand's rows; stride bytes from 8 rows to the next 8; leading means nothing
//   else:    a row holds 64 of the operand's rows for one inner index; stride bytes from 8 inner indices to the next 8, leading bytes from
//            64 rows to the next 64
struct SharedMatrix {
#if defined(ASNI_SIMULATOR)
    unsigned char* start;
    int leading, stride;
    SharedMatrix(SharedAddress start, int leading, int stride) : start(start.address), leading(leading), stride(stride) {}
#else
    uint64_t bits;
    ASNI_DEVICE SharedMatrix(SharedAddress start, int leading, int stride)
        : bits(uint64_t((start.address & 0x3ffff) >> 4) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 | uint64_t(1) << 62) {}
#endif
};

#if defined(ASNI_SIMULATOR)

// The products of a thread's warpgroup, committed in groups. wait<n> waits until at most n groups are under way. The simulator reads the operands
// both when a product begins and when it is waited for: a missing wait is seen, and so is a stage that comes too late or is overwritten too early.
struct WarpgroupProducts {
    CommitGroups<sim::WarpgroupProduct> products;

    void begin() {}

    // d += a b, 64 x n. Thread t of the warpgroup has of row t / 32 * 16 + t % 32 / 4 + 8 i the columns 8 j + t % 4 * 2 + e, in d[4 j + 2 i + e].
    template <int n, bool a_inner, bool b_inner>
    void multiply(float (&d)[n / 2], SharedMatrix a, SharedMatrix b) {
        products.open.push_back({d, {a.start, a.leading, a.stride, a_inner}, {b.start, b.leading, b.stride, b_inner}, n, 0});
        sim::warp_operation(all_lanes, "wgmma.mma_async", &products.open.back(), sim::begin_warpgroup_product);
    }

    void commit() { products.commit(); }

    template <int pending>
    void wait() {
        products.wait(pending, [](sim::WarpgroupProduct& product) {
            sim::warp_operation(all_lanes, "wgmma.wait_group", &product, sim::end_warpgroup_product);
        });
    }

    template <int count>
    void settled(float (&)[count]) {}
};

// Makes what this thread wrote to shared memory, asynchronous copies that it has waited for among it, visible to wgmma.
inline void publish_to_warpgroup_products() {}

#else

#define ASNI_OPERANDS_32 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
    ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ASNI_OPERANDS_64 ASNI_OPERANDS_32 \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
    ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define ASNI_OPERANDS_128 ASNI_OPERANDS_64 \
    ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
    ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
    ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
    ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define ASNI_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define ASNI_SUMS_16(i) ASNI_SUMS_4(i), ASNI_SUMS_4(i + 4), ASNI_SUMS_4(i + 8), ASNI_SUMS_4(i + 12)
#define ASNI_SUMS_32(i) ASNI_SUMS_16(i), ASNI_SUMS_16(i + 16)
#define ASNI_SUMS_64(i) ASNI_SUMS_32(i), ASNI_SUMS_32(i + 32)
#define ASNI_SUMS_128(i) ASNI_SUMS_64(i), ASNI_SUMS_64(i + 64)
// a, b: the numbers of the operands behind the sums.
#define ASNI_WGMMA(n, operands, sums, a, b, transposed_a, transposed_b)                                                       \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" operands "}, %" #a ", %" #b                     \
        ", 1, 1, 1, %" #transposed_a ", %" #transposed_b ";"                                                                  \
        : sums : "l"(a_matrix.bits), "l"(b_matrix.bits), "n"(a_inner ? 0 : 1), "n"(b_inner ? 0 : 1))

struct WarpgroupProducts {
    // Before the first product that uses registers which the thread has written.
    ASNI_DEVICE void begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

    template <int n, bool a_inner, bool b_inner>
    ASNI_DEVICE void multiply(float (&d)[n / 2], SharedMatrix a_matrix, SharedMatrix b_matrix) {
        static_assert(n == 64 || n == 128 || n == 256, "no other widths are written out");
        if constexpr (n == 64) {
            ASNI_WGMMA(64, ASNI_OPERANDS_32, ASNI_SUMS_32(0), 32, 33, 34, 35);
        } else if constexpr (n == 128) {
            ASNI_WGMMA(128, ASNI_OPERANDS_64, ASNI_SUMS_64(0), 64, 65, 66, 67);
        } else {
            ASNI_WGMMA(256, ASNI_OPERANDS_128, ASNI_SUMS_128(0), 128, 129, 130, 131);
        }
    }

    ASNI_DEVICE void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

    template <int pending>
    ASNI_DEVICE void wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory"); }

    // Keeps the compiler from reading sums before a wait in the program's order.
    template <int count>
    ASNI_DEVICE void settled(float (&d)[count]) {
        ASNI_UNROLL
        for (int i = 0; i < count; i++) asm volatile("" : "+f"(d[i])::"memory");
    }
};

ASNI_DEVICE void publish_to_warpgroup_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#undef ASNI_WGMMA
#undef ASNI_SUMS_128
#undef ASNI_SUMS_64
#undef ASNI_SUMS_32
#undef ASNI_SUMS_16
#undef ASNI_SUMS_4
#undef ASNI_OPERANDS_128
#undef ASNI_OPERANDS_64
#undef ASNI_OPERANDS_32

#endif

}  // namespace asni

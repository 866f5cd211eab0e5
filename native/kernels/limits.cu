// What the GPU can do at most, measured by kernels that do nothing else: a copy through memory, and matrix products out of registers.
// The benchmarks give their figures as a share of these.
#include "asni/cuda.h"
#include "asni/mma.h"

using namespace asni;

struct LimitCopyArgs {
    const uint4* x;
    uint4* y;
    int64_t n;  // in units of 16 bytes
};

ASNI_KERNEL(limit_copy, LimitCopyArgs, 256) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) args.y[i] = load_readonly(args.x + i);
}

struct LimitMmaArgs {
    float* y;
    int rounds;
};

// Eight products that do not wait for each other a round and warp, each of 2 * 16 * 8 * 16 operations.
ASNI_KERNEL(limit_mma_bf16, LimitMmaArgs, 256) {
    float d[8][4] = {};
    uint32_t a[4] = {0x3f803f80u, 0x3f803f80u, threadIdx.x, 0}, b[2] = {0x3f803f80u, threadIdx.x};
    for (int round = 0; round < args.rounds; round++) {
        ASNI_UNROLL
        for (int i = 0; i < 8; i++) mma_bf16(d[i], a, b);
    }
    float sum = 0;
    ASNI_UNROLL
    for (int i = 0; i < 8; i++) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];
    args.y[grid_thread()] = sum;
}

struct LimitEmptyArgs {
    int n;
};

// What a launch alone costs.
ASNI_KERNEL(limit_empty, LimitEmptyArgs, 256) {}

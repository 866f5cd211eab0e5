// Kernels that use each part of the kernel language once, for the tests of simulator, driver layer and, where there is one, GPU.
#include "asni/cuda.h"

using namespace asni;

struct TestArrayArgs {
    const float* x;
    float* y;
    int n;
};

// Each block of 256 reversed through shared memory.
ASNI_KERNEL(test_reverse, TestArrayArgs, 256) {
    ASNI_SHARED(float, tile, 256);
    int i = int(grid_thread());
    tile[threadIdx.x] = args.x[i];
    __syncthreads();
    args.y[i] = tile[blockDim.x - 1 - threadIdx.x];
}

// y[warp] = the sum of the warp's 32 values.
ASNI_KERNEL(test_warp_sum, TestArrayArgs, 256) {
    int i = int(grid_thread());
    float sum = args.x[i];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(all_lanes, sum, lanes);
    if (lane_index() == 0) args.y[i / warp_size] = sum;
}

// y[0..2] = e^x, log x, x through bf16.
ASNI_KERNEL(test_functions, TestArrayArgs, 256) {
    int i = int(grid_thread());
    if (i >= args.n) return;
    args.y[3 * i] = expf(args.x[i]);
    args.y[3 * i + 1] = logf(args.x[i]);
    args.y[3 * i + 2] = bf16::from_float(args.x[i]).to_float();
}

struct TestVotesArgs {
    const int* x;
    unsigned* y;
};

// One warp; y[0..7] for each lane: the results of every vote, reduction and shuffle.
ASNI_KERNEL(test_votes, TestVotesArgs, 32) {
    int lane = lane_index(), x = args.x[lane];
    unsigned* y = args.y + 12 * lane;
    y[0] = __ballot_sync(all_lanes, x > 0);
    y[1] = unsigned(__any_sync(all_lanes, x > 1000));
    y[2] = unsigned(__all_sync(all_lanes, x > -1000));
    y[3] = __reduce_add_sync(all_lanes, unsigned(x));
    y[4] = __reduce_max_sync(all_lanes, unsigned(x));
    y[5] = __match_any_sync(all_lanes, unsigned(x) % 4);
    y[6] = unsigned(__shfl_sync(all_lanes, x, lane + 1));
    y[7] = unsigned(__shfl_down_sync(all_lanes, x, 2));
    y[8] = unsigned(__shfl_up_sync(all_lanes, x, 3));
    y[9] = unsigned(__shfl_xor_sync(all_lanes, x, 1, 8));
    // Halves of the warp at once, each for itself.
    y[10] = lane < 16 ? __ballot_sync(0x0000ffffu, x > 0) : __ballot_sync(0xffff0000u, x > 0);
    y[11] = unsigned(__syncthreads_count(x > 0));
}

struct TestSumArgs {
    const unsigned* x;
    unsigned* total;  // [0] the sum, [1] blocks that are done
    unsigned* last;
    int n;
};

// The sum over the grid; the block that comes last copies it.
ASNI_KERNEL(test_grid_sum, TestSumArgs, 128) {
    ASNI_SHARED(unsigned, is_last, 1);
    int i = int(grid_thread());
    if (i < args.n) atomicAdd(args.total, args.x[i]);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) is_last[0] = atomicAdd(args.total + 1, 1u) == gridDim.x - 1;
    __syncthreads();
    if (is_last[0] != 0 && threadIdx.x == 0) *args.last = load_volatile(args.total);
}

// Dynamic shared memory of blockDim floats.
ASNI_KERNEL(test_dynamic_reverse, TestArrayArgs, 1024) {
    ASNI_DYNAMIC_SHARED(float, tile);
    tile[threadIdx.x] = args.x[threadIdx.x];
    __syncthreads();
    args.y[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

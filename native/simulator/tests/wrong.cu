// Kernels that are wrong, each in one way that the simulator must show.
#include "asni/cuda.h"

using namespace asni;

struct WrongArgs {
    const float* x;
    float* y;
    int n;
};

ASNI_KERNEL(wrong_missing_barrier, WrongArgs, 256) {
    ASNI_SHARED(float, tile, 256);
    tile[threadIdx.x] = args.x[threadIdx.x];
    args.y[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

// The first barrier is there; the one that keeps a fast warp from overwriting what a slow one still reads is not.
ASNI_KERNEL(wrong_missing_second_barrier, WrongArgs, 256) {
    ASNI_SHARED(float, tile, 256);
    float sum = 0;
    for (int round = 0; round < args.n; round++) {
        tile[threadIdx.x] = args.x[threadIdx.x] + float(round);
        __syncthreads();
        sum += tile[blockDim.x - 1 - threadIdx.x];
    }
    args.y[threadIdx.x] = sum;
}

ASNI_KERNEL(wrong_missing_warp_barrier, WrongArgs, 32) {
    ASNI_SHARED(float, tile, 32);
    tile[threadIdx.x] = args.x[threadIdx.x];
    __syncwarp();
    float other = tile[31 - threadIdx.x];
    tile[threadIdx.x] = other;
    args.y[threadIdx.x] = tile[(threadIdx.x + 1) % 32];
}

// Harmless on today's GPUs, and still a race.
ASNI_KERNEL(wrong_same_value, WrongArgs, 64) {
    ASNI_SHARED(float, value, 1);
    value[0] = args.x[0];
    __syncthreads();
    args.y[threadIdx.x] = value[0];
}

ASNI_KERNEL(wrong_read_after_end, WrongArgs, 256) {
    int i = int(grid_thread());
    args.y[i < args.n ? i : 0] = args.x[i];
}

ASNI_KERNEL(wrong_write_after_end, WrongArgs, 256) { args.y[grid_thread()] = 1; }

ASNI_KERNEL(wrong_write_before_start, WrongArgs, 32) {
    if (threadIdx.x == 7) args.y[-1] = 1;
}

ASNI_KERNEL(wrong_uninitialised_shared, WrongArgs, 64) {
    ASNI_SHARED(float, tile, 64);
    if (threadIdx.x < 63) tile[threadIdx.x] = 1;
    __syncthreads();
    args.y[threadIdx.x] = tile[threadIdx.x] + 1;
}

ASNI_KERNEL(wrong_after_end_of_shared, WrongArgs, 64) {
    ASNI_SHARED(float, tile, 64);
    tile[threadIdx.x + unsigned(args.n)] = 1;
    args.y[threadIdx.x] = tile[threadIdx.x];
}

ASNI_KERNEL(wrong_divergent_barrier, WrongArgs, 64) {
    if (threadIdx.x == 5) return;
    __syncthreads();
    args.y[threadIdx.x] = 1;
}

ASNI_KERNEL(wrong_divergent_shuffle, WrongArgs, 32) {
    float sum = float(threadIdx.x);
    if (threadIdx.x < 16) sum += __shfl_xor_sync(all_lanes, sum, 1);
    args.y[threadIdx.x] = sum;
}

ASNI_KERNEL(wrong_misaligned, WrongArgs, 32) {
    *reinterpret_cast<float4*>(args.y + 4 * threadIdx.x + args.n) = float4{1, 2, 3, 4};
}

ASNI_KERNEL(wrong_local_index, WrongArgs, 32) {
    float values[4] = {1, 2, 3, 4};
    args.y[threadIdx.x] = values[int(threadIdx.x) - 28 + args.n];
}

ASNI_KERNEL(wrong_null, WrongArgs, 32) { args.y[threadIdx.x] = args.x[threadIdx.x]; }

ASNI_KERNEL(wrong_division, WrongArgs, 32) { args.y[threadIdx.x] = float(100 / (args.n - int(threadIdx.x))); }

ASNI_KERNEL(wrong_endless, WrongArgs, 32) {
    while (load_volatile(args.x) == 0.0f) {}
    args.y[threadIdx.x] = 1;
}

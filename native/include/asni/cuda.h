// What every kernel file includes first. The same .cu is compiled three ways, and this header makes them one language:
//   nvcc                      -> PTX; the toolkit supplies the built-ins
//   clang without a toolkit   -> PTX; cuda_clang.h supplies them
//   the host compiler         -> the simulator (ASNI_SIMULATOR); cuda_simulator.h supplies them
//
// A kernel takes exactly one argument, a struct by value of pointers, integers and floats, laid out as C# lays out its twin:
//   struct AddArgs { const float* a; const float* b; float* y; int64_t n; };
//   ASNI_KERNEL(add, AddArgs, 256) { ... args.n ... }
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(ASNI_SIMULATOR)
#include "asni/cuda_simulator.h"
#elif defined(__NVCC__)
#include "asni/cuda_nvcc.h"
#elif defined(__clang__) && defined(__CUDA__)
#include "asni/cuda_clang.h"
#else
#error "A kernel file is compiled by nvcc, by clang -x cuda, or by a host compiler with ASNI_SIMULATOR."
#endif

// A function that only device code calls; the simulator makes it a plain inline function.
#define ASNI_DEVICE __device__ __forceinline__

#include "asni/bf16.h"
#include "asni/math.h"
#include "asni/memory.h"

namespace asni {

constexpr int warp_size = 32;
constexpr uint32_t all_lanes = 0xffffffffu;

ASNI_DEVICE int lane_index() {
    return int((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % warp_size);
}

ASNI_DEVICE int warp_index() {
    return int((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) / warp_size);
}

// The thread's place in a one-dimensional grid, and the grid's width: the two numbers of a grid-stride loop.
ASNI_DEVICE int64_t grid_thread() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
ASNI_DEVICE int64_t grid_threads() { return int64_t(gridDim.x) * blockDim.x; }

// The sum over the warp, to every lane, in an order that is always the same.
template <class T>
ASNI_DEVICE T warp_sum(T value) {
    for (int step = warp_size / 2; step > 0; step /= 2) value += __shfl_xor_sync(all_lanes, value, step);
    return value;
}

}  // namespace asni

// The host compiler: CUDA's keywords mean nothing, threads are the simulator's fibers, and the warp operations go through it.
#pragma once

#include <cmath>
#include <cstring>

#include "asni/simulator.h"

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __constant__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

#include "asni/vector_types.h"

#define threadIdx (asni::sim::current->index)
#define blockIdx (asni::sim::current->block)
#define blockDim (asni::sim::current->block_size)
#define gridDim (asni::sim::current->grid_size)

#define ASNI_FIRST_OF(first, ...) first
#define ASNI_KERNEL(name, Args, ...)                                                                                     \
    static void name(const Args args);                                                                                   \
    static void name##_run(const void* args) { name(*static_cast<const Args*>(args)); }                                  \
    static const asni::sim::Registration name##_registration(                                                            \
        asni::sim::Kernel{#name, sizeof(Args), unsigned(ASNI_FIRST_OF(__VA_ARGS__, 0)), name##_run});                    \
    static inline void name([[maybe_unused]] const Args args)

#define ASNI_SHARED(type, name, count)                                             \
    static asni::sim::SharedArray name##_array{sizeof(type) * (count), #name};     \
    type* const name = static_cast<type*>(asni::sim::shared_memory(name##_array))
#define ASNI_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(asni::sim::dynamic_shared_memory())

#define ASNI_BUILTIN inline

ASNI_BUILTIN void __syncthreads() { asni::sim::barrier(); }
ASNI_BUILTIN int __syncthreads_count(int predicate) { return asni::sim::barrier(predicate != 0); }
ASNI_BUILTIN int __syncthreads_or(int predicate) { return asni::sim::barrier(predicate != 0) > 0; }
ASNI_BUILTIN int __syncthreads_and(int predicate) { return asni::sim::barrier(predicate == 0) == 0; }
ASNI_BUILTIN void __syncwarp(unsigned mask = 0xffffffffu) { asni::sim::warp_barrier(mask); }
ASNI_BUILTIN void __threadfence() { asni::sim::fence(); }
ASNI_BUILTIN void __threadfence_block() { asni::sim::fence(); }

ASNI_BUILTIN int __popc(unsigned x) { return __builtin_popcount(x); }
ASNI_BUILTIN int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
ASNI_BUILTIN int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
ASNI_BUILTIN int __ffs(int x) { return __builtin_ffs(x); }
ASNI_BUILTIN unsigned __brev(unsigned x) {
    unsigned y = 0;
    for (int i = 0; i < 32; i++) y |= (x >> i & 1) << (31 - i);
    return y;
}

ASNI_BUILTIN unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
ASNI_BUILTIN int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
ASNI_BUILTIN float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
ASNI_BUILTIN float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
#define rsqrtf asni_rsqrtf  // newer C libraries declare one of their own
ASNI_BUILTIN float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }

namespace asni::sim {

// A value of each lane: the whole warp sees them in values, each takes its own result.
template <class T, class R, class F>
R warp_values(uint32_t mask, const char* name, T value, F result_of) {
    struct Each {
        T value;
        R result;
        F* result_of;
    } mine{value, R(), &result_of};
    warp_operation(mask, name, &mine, [](void* const lanes[32]) {
        for (int i = 0; i < 32; i++) {
            if (lanes[i] != nullptr) {
                Each* each = static_cast<Each*>(lanes[i]);
                each->result = (*each->result_of)(lanes, i, [&](int lane) { return static_cast<Each*>(lanes[lane])->value; });
            }
        }
    });
    return mine.result;
}

// What a shuffle leaves in a lane that reads from a lane outside the mask: a value no kernel can mean.
template <class T>
T shuffle_garbage() {
    T value;
    memset(&value, 0xf5, sizeof(T));
    return value;
}

template <class T, class F>
T shuffle(uint32_t mask, const char* name, T value, F source_of) {
    return warp_values<T, T>(mask, name, value, [&](void* const lanes[32], int lane, auto value_of) {
        int source = source_of(lane);
        return lanes[source] == nullptr ? shuffle_garbage<T>() : value_of(source);
    });
}

}  // namespace asni::sim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    return asni::sim::shuffle(mask, "__shfl_sync", value, [=](int lane) { return (lane & ~(width - 1)) | (source & (width - 1)); });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return asni::sim::shuffle(mask, "__shfl_down_sync", value, [=](int lane) {
        int source = lane + int(delta);
        return source > (lane | (width - 1)) ? lane : source;
    });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return asni::sim::shuffle(mask, "__shfl_up_sync", value, [=](int lane) {
        int source = lane - int(delta);
        return source < (lane & ~(width - 1)) ? lane : source;
    });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    return asni::sim::shuffle(mask, "__shfl_xor_sync", value, [=](int lane) {
        int source = lane ^ lanes;
        return source > (lane | (width - 1)) ? lane : source;
    });
}

// Combines the values of the lanes of mask, in lane order; every lane gets the result.
#define ASNI_WARP_FOLD(function, Result, Value, initial, combined)                                                       \
    ASNI_BUILTIN Result function(unsigned mask, Value value) {                                                           \
        return asni::sim::warp_values<Value, Result>(mask, #function, value, [](void* const lanes[32], int, auto value_of) { \
            Result result = initial;                                                                                     \
            for (int lane = 0; lane < 32; lane++) {                                                                      \
                if (lanes[lane] != nullptr) {                                                                            \
                    Value each = value_of(lane);                                                                         \
                    result = combined;                                                                                   \
                }                                                                                                        \
            }                                                                                                            \
            return result;                                                                                               \
        });                                                                                                              \
    }
ASNI_WARP_FOLD(__ballot_sync, unsigned, int, 0u, result | (each != 0 ? 1u << lane : 0u))
ASNI_WARP_FOLD(__any_sync, int, int, 0, int(result != 0 || each != 0))
ASNI_WARP_FOLD(__all_sync, int, int, 1, int(result != 0 && each != 0))
ASNI_WARP_FOLD(__reduce_add_sync, unsigned, unsigned, 0u, result + each)
ASNI_WARP_FOLD(__reduce_add_sync, int, int, 0, int(unsigned(result) + unsigned(each)))
ASNI_WARP_FOLD(__reduce_max_sync, unsigned, unsigned, 0u, max(result, each))
ASNI_WARP_FOLD(__reduce_min_sync, unsigned, unsigned, 0xffffffffu, min(result, each))
ASNI_WARP_FOLD(__reduce_or_sync, unsigned, unsigned, 0u, result | each)
#undef ASNI_WARP_FOLD

ASNI_BUILTIN unsigned __match_any_sync(unsigned mask, unsigned value) {
    return asni::sim::warp_values<unsigned, unsigned>(mask, "__match_any_sync", value, [](void* const lanes[32], int mine, auto value_of) {
        unsigned equal = 0;
        for (int lane = 0; lane < 32; lane++) {
            if (lanes[lane] != nullptr && value_of(lane) == value_of(mine)) equal |= 1u << lane;
        }
        return equal;
    });
}

// Atomics are real ones: blocks run on several threads of the machine.
template <class T> T atomicExch(T* address, T value) { return __atomic_exchange_n(address, value, __ATOMIC_RELAXED); }
template <class T> T atomicCAS(T* address, T expected, T value) {
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
template <class T, class F> T asni_atomic_update(T* address, F updated) {
    T seen = *const_cast<volatile T*>(address), wanted;
    do wanted = updated(seen);
    while (!__atomic_compare_exchange(address, &seen, &wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return seen;
}
ASNI_BUILTIN int atomicAdd(int* address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
ASNI_BUILTIN unsigned atomicAdd(unsigned* address, unsigned value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
ASNI_BUILTIN unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
ASNI_BUILTIN float atomicAdd(float* address, float value) {
    return asni_atomic_update(address, [=](float seen) { return seen + value; });
}
ASNI_BUILTIN unsigned atomicOr(unsigned* address, unsigned value) { return __atomic_fetch_or(address, value, __ATOMIC_RELAXED); }
ASNI_BUILTIN unsigned atomicAnd(unsigned* address, unsigned value) { return __atomic_fetch_and(address, value, __ATOMIC_RELAXED); }
ASNI_BUILTIN int atomicMax(int* address, int value) { return asni_atomic_update(address, [=](int seen) { return max(seen, value); }); }
ASNI_BUILTIN int atomicMin(int* address, int value) { return asni_atomic_update(address, [=](int seen) { return min(seen, value); }); }
ASNI_BUILTIN unsigned atomicMax(unsigned* address, unsigned value) {
    return asni_atomic_update(address, [=](unsigned seen) { return max(seen, value); });
}
ASNI_BUILTIN unsigned atomicMin(unsigned* address, unsigned value) {
    return asni_atomic_update(address, [=](unsigned seen) { return min(seen, value); });
}
#undef ASNI_BUILTIN

#define memcpy asni::sim::copy
#define memset asni::sim::fill

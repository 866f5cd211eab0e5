// clang without a CUDA toolkit: keywords from attributes, thread indices from clang's own header, and the intrinsics the kernels use
// from clang's builtins. Names and meanings are CUDA's.
#pragma once

#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(n) __attribute__((aligned(n)))

#include "asni/vector_types.h"
#include <__clang_cuda_builtin_vars.h>

#define ASNI_KERNEL(name, Args, ...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name([[maybe_unused]] const Args args)
#define ASNI_SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define ASNI_DYNAMIC_SHARED(type, name)                                       \
    extern __shared__ __align__(1024) unsigned char asni_dynamic_shared[];    \
    type* const name = reinterpret_cast<type*>(asni_dynamic_shared)

#define ASNI_BUILTIN __device__ __forceinline__

ASNI_BUILTIN void __syncwarp(unsigned mask = 0xffffffffu) { __nvvm_bar_warp_sync(mask); }
ASNI_BUILTIN int __syncthreads_count(int predicate) { return __nvvm_bar0_popc(predicate); }
ASNI_BUILTIN int __syncthreads_and(int predicate) { return __nvvm_bar0_and(predicate); }
ASNI_BUILTIN int __syncthreads_or(int predicate) { return __nvvm_bar0_or(predicate); }
ASNI_BUILTIN void __threadfence() { __nvvm_membar_gl(); }
ASNI_BUILTIN void __threadfence_block() { __nvvm_membar_cta(); }

ASNI_BUILTIN int __popc(unsigned x) { return __builtin_popcount(x); }
ASNI_BUILTIN int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
ASNI_BUILTIN int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
ASNI_BUILTIN int __ffs(int x) { return __builtin_ffs(x); }
ASNI_BUILTIN unsigned __brev(unsigned x) { return __builtin_bitreverse32(x); }

ASNI_BUILTIN unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
ASNI_BUILTIN int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
ASNI_BUILTIN float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
ASNI_BUILTIN float __int_as_float(int x) { return __builtin_bit_cast(float, x); }

ASNI_BUILTIN float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
ASNI_BUILTIN float sqrtf(float x) { return __builtin_sqrtf(x); }
ASNI_BUILTIN float rsqrtf(float x) { return __nvvm_rsqrt_approx_f(x); }
ASNI_BUILTIN float fabsf(float x) { return __builtin_fabsf(x); }
ASNI_BUILTIN float fminf(float a, float b) { return __builtin_fminf(a, b); }
ASNI_BUILTIN float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
ASNI_BUILTIN float rintf(float x) { return __builtin_rintf(x); }
ASNI_BUILTIN float truncf(float x) { return __builtin_truncf(x); }
ASNI_BUILTIN float floorf(float x) { return __builtin_floorf(x); }
ASNI_BUILTIN float ceilf(float x) { return __builtin_ceilf(x); }
ASNI_BUILTIN float copysignf(float x, float sign) { return __builtin_copysignf(x, sign); }

// Votes and reductions of a warp.
ASNI_BUILTIN unsigned __ballot_sync(unsigned mask, int predicate) { return __nvvm_vote_ballot_sync(mask, predicate); }
ASNI_BUILTIN int __any_sync(unsigned mask, int predicate) { return __nvvm_vote_any_sync(mask, predicate); }
ASNI_BUILTIN int __all_sync(unsigned mask, int predicate) { return __nvvm_vote_all_sync(mask, predicate); }
ASNI_BUILTIN unsigned __match_any_sync(unsigned mask, unsigned value) { return __nvvm_match_any_sync_i32(mask, value); }
ASNI_BUILTIN unsigned __reduce_add_sync(unsigned mask, unsigned value) { return __nvvm_redux_sync_add(int(value), int(mask)); }
ASNI_BUILTIN int __reduce_add_sync(unsigned mask, int value) { return __nvvm_redux_sync_add(value, int(mask)); }
ASNI_BUILTIN unsigned __reduce_max_sync(unsigned mask, unsigned value) { return __nvvm_redux_sync_umax(value, mask); }
ASNI_BUILTIN unsigned __reduce_min_sync(unsigned mask, unsigned value) { return __nvvm_redux_sync_umin(value, mask); }
ASNI_BUILTIN unsigned __reduce_or_sync(unsigned mask, unsigned value) { return __nvvm_redux_sync_or(int(value), int(mask)); }

// Shuffles. The last operand of shfl holds the segment's mask (32 - width) and the clamp lane.
#define ASNI_SHUFFLE_32(name, builtin, operand, clamp)                                                                  \
    ASNI_BUILTIN int name(unsigned mask, int value, operand which, int width = 32) {                                    \
        return builtin(mask, value, int(which), ((32 - width) << 8) | clamp);                                           \
    }                                                                                                                   \
    ASNI_BUILTIN unsigned name(unsigned mask, unsigned value, operand which, int width = 32) {                          \
        return unsigned(name(mask, int(value), which, width));                                                          \
    }                                                                                                                   \
    ASNI_BUILTIN float name(unsigned mask, float value, operand which, int width = 32) {                                \
        return __int_as_float(name(mask, __float_as_int(value), which, width));                                         \
    }                                                                                                                   \
    ASNI_BUILTIN unsigned long long name(unsigned mask, unsigned long long value, operand which, int width = 32) {      \
        unsigned low = name(mask, unsigned(value), which, width), high = name(mask, unsigned(value >> 32), which, width); \
        return (unsigned long long)high << 32 | low;                                                                    \
    }                                                                                                                   \
    ASNI_BUILTIN long long name(unsigned mask, long long value, operand which, int width = 32) {                        \
        return (long long)name(mask, (unsigned long long)value, which, width);                                          \
    }                                                                                                                   \
    ASNI_BUILTIN unsigned long name(unsigned mask, unsigned long value, operand which, int width = 32) {                \
        return (unsigned long)name(mask, (unsigned long long)value, which, width);                                      \
    }                                                                                                                   \
    ASNI_BUILTIN long name(unsigned mask, long value, operand which, int width = 32) {                                  \
        return (long)name(mask, (unsigned long long)value, which, width);                                               \
    }                                                                                                                   \
    ASNI_BUILTIN double name(unsigned mask, double value, operand which, int width = 32) {                              \
        return __builtin_bit_cast(double, name(mask, __builtin_bit_cast(unsigned long long, value), which, width));      \
    }

ASNI_SHUFFLE_32(__shfl_sync, __nvvm_shfl_sync_idx_i32, int, 0x1f)
ASNI_SHUFFLE_32(__shfl_down_sync, __nvvm_shfl_sync_down_i32, unsigned, 0x1f)
ASNI_SHUFFLE_32(__shfl_up_sync, __nvvm_shfl_sync_up_i32, unsigned, 0)
ASNI_SHUFFLE_32(__shfl_xor_sync, __nvvm_shfl_sync_bfly_i32, int, 0x1f)
#undef ASNI_SHUFFLE_32

// Atomics: relaxed, as CUDA's are; __threadfence orders them.
#define ASNI_ATOMIC(name, type, operation)                                      \
    ASNI_BUILTIN type name(type* address, type value) { return operation; }
ASNI_ATOMIC(atomicAdd, int, __atomic_fetch_add(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicAdd, unsigned, __atomic_fetch_add(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicAdd, unsigned long long, __atomic_fetch_add(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicAdd, float, __nvvm_atom_add_gen_f(address, value))
ASNI_ATOMIC(atomicMax, int, __nvvm_atom_max_gen_i(address, value))
ASNI_ATOMIC(atomicMax, unsigned, __nvvm_atom_max_gen_ui(address, value))
ASNI_ATOMIC(atomicMin, int, __nvvm_atom_min_gen_i(address, value))
ASNI_ATOMIC(atomicMin, unsigned, __nvvm_atom_min_gen_ui(address, value))
ASNI_ATOMIC(atomicOr, unsigned, __atomic_fetch_or(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicAnd, unsigned, __atomic_fetch_and(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicExch, int, __atomic_exchange_n(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicExch, unsigned, __atomic_exchange_n(address, value, __ATOMIC_RELAXED))
ASNI_ATOMIC(atomicExch, unsigned long long, __atomic_exchange_n(address, value, __ATOMIC_RELAXED))
#undef ASNI_ATOMIC

#define ASNI_COMPARE_AND_SWAP(type)                                                                              \
    ASNI_BUILTIN type atomicCAS(type* address, type expected, type value) {                                      \
        __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);       \
        return expected;                                                                                         \
    }
ASNI_COMPARE_AND_SWAP(int)
ASNI_COMPARE_AND_SWAP(unsigned)
ASNI_COMPARE_AND_SWAP(unsigned long long)
#undef ASNI_COMPARE_AND_SWAP
#undef ASNI_BUILTIN

namespace asni {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return uint32_t(size_t((const void __attribute__((address_space(3)))*)pointer));
}

}  // namespace asni

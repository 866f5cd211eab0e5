// Loads and stores through the paths a kernel chooses on purpose.
#pragma once

namespace asni {

// A load that may go through the read-only cache: nothing in this launch writes the address.
template <class T>
ASNI_DEVICE T load_readonly(const T* address) {
#if defined(ASNI_SIMULATOR)
    return *address;
#elif defined(__NVCC__)
    return __ldg(address);
#else
    static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "load 4, 8 or 16 bytes");
    if constexpr (sizeof(T) == 4) {
        return __builtin_bit_cast(T, __nvvm_ldg_ui(reinterpret_cast<const unsigned*>(address)));
    } else if constexpr (sizeof(T) == 8) {
        typedef unsigned pair __attribute__((ext_vector_type(2)));
        return __builtin_bit_cast(T, __nvvm_ldg_ui2(reinterpret_cast<const pair*>(address)));
    } else {
        typedef unsigned quad __attribute__((ext_vector_type(4)));
        return __builtin_bit_cast(T, __nvvm_ldg_ui4(reinterpret_cast<const quad*>(address)));
    }
#endif
}

// Loads and stores that the compiler may neither drop nor repeat: values that other threads of the launch change.
template <class T>
ASNI_DEVICE T load_volatile(const T* address) { return *const_cast<const volatile T*>(address); }

template <class T>
ASNI_DEVICE void store_volatile(T* address, T value) { *const_cast<volatile T*>(address) = value; }

// Copies 16 aligned bytes by one load and one store. Copied as a struct they become two stores of 8 bytes, which halve the rate of writes to
// global memory: the cache gets every sector in two parts.
ASNI_DEVICE void copy_chunk(void* to, const void* from) {
#if defined(__clang__) && !defined(ASNI_SIMULATOR)
    typedef unsigned quad __attribute__((ext_vector_type(4)));
    *static_cast<quad*>(to) = *static_cast<const quad*>(from);
#else
    *static_cast<uint4*>(to) = *static_cast<const uint4*>(from);
#endif
}

}  // namespace asni

// nvcc: the toolkit has the built-ins; only our own macros are added.
#pragma once

#define ASNI_KERNEL(name, Args, ...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name([[maybe_unused]] const Args args)
#define ASNI_SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define ASNI_DYNAMIC_SHARED(type, name)                                       \
    extern __shared__ __align__(1024) unsigned char asni_dynamic_shared[];    \
    type* const name = reinterpret_cast<type*>(asni_dynamic_shared)

namespace asni {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return uint32_t(__cvta_generic_to_shared(pointer));
}

}  // namespace asni

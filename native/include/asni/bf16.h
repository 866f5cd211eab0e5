// bfloat16 as storage: the upper half of a float's bits, rounded to nearest, ties to even.
#pragma once

namespace asni {

struct bf16 {
    uint16_t bits;

    ASNI_DEVICE float to_float() const { return __uint_as_float(uint32_t(bits) << 16); }
    ASNI_DEVICE static bf16 from_float(float x);
};

// Two bf16 in one register, the first in the lower half: the operand form of mma and of 32-bit accesses.
ASNI_DEVICE uint32_t pack_bf16(float first, float second);
ASNI_DEVICE float first_of_bf16(uint32_t pair) { return __uint_as_float(pair << 16); }
ASNI_DEVICE float second_of_bf16(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

#if defined(ASNI_SIMULATOR)

ASNI_DEVICE bf16 bf16::from_float(float x) {
    uint32_t bits = __float_as_uint(x);
    if (x != x) return {0x7fff};  // the NaN that cvt.rn.bf16.f32 gives
    return {uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}

ASNI_DEVICE uint32_t pack_bf16(float first, float second) {
    return bf16::from_float(first).bits | uint32_t(bf16::from_float(second).bits) << 16;
}

#else

ASNI_DEVICE bf16 bf16::from_float(float x) {
    uint16_t bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return {bits};
}

ASNI_DEVICE uint32_t pack_bf16(float first, float second) {
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

#endif

}  // namespace asni

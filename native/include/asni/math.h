// expf and logf of our own: clang without a toolkit has no library to call, and one definition gives every compiler the same numbers.
// Both are accurate to a few units in the last place over the whole range. Macros, because the toolkit and the C library have theirs under
// the same names.
#pragma once

namespace asni {

// 2^x; the hardware's is within 2 units in the last place.
ASNI_DEVICE float exp2_approx(float x) {
#if defined(ASNI_SIMULATOR)
    return __builtin_exp2f(x);
#else
    float y;
    asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

ASNI_DEVICE float exp_float(float x) {
    // Beyond these the result is 0 or infinity anyway; a NaN fails both comparisons and passes through.
    x = x < -105.0f ? -105.0f : x;
    x = x > 90.0f ? 90.0f : x;
    // x = whole * ln 2 + rest, with ln 2 in two parts so that rest is exact to float precision.
    float whole = rintf(x * 1.44269504f);
    float rest = fmaf(whole, -0.693145752f, x);
    rest = fmaf(whole, -1.42860677e-6f, rest);
    // 2^whole in two factors: one alone would leave the range of float before the product does.
    float half = truncf(whole * 0.5f);
    return exp2_approx(rest * 1.44269504f) * exp2_approx(half) * exp2_approx(whole - half);
}

ASNI_DEVICE float log_float(float x) {
    if (!(x > 0.0f)) return x == 0.0f ? __uint_as_float(0xff800000u) : __uint_as_float(0x7fffffffu);
    if (!(x < __uint_as_float(0x7f800000u))) return x;
    int exponent = 0;
    if (x < 1.17549435e-38f) {
        x *= 16777216.0f;
        exponent = -24;
    }
    // x = 2^exponent * m with m in [2/3, 4/3), where log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 1/5.
    int bits = __float_as_int(x);
    int shift = (bits - 0x3f2aaaab) & int(0xff800000);
    exponent += shift >> 23;
    float f = __int_as_float(bits - shift) - 1.0f;
    float s = f / (2.0f + f);
    float q = s * s;
    float tail = fmaf(q, fmaf(q, fmaf(q, 0.222222222f, 0.285714286f), 0.4f), 0.666666667f);
    // 2 atanh(s) = f - s (f - q tail): f itself is exact, so what is rounded is small beside it.
    float log_m = f - s * (f - q * tail);
    float e = float(exponent);
    return fmaf(e, 0.693145752f, fmaf(e, 1.42860677e-6f, log_m));
}

}  // namespace asni

#define expf(x) asni::exp_float(x)
#define logf(x) asni::log_float(x)

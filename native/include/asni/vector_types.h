// CUDA's short vectors and dim3, for compilers that come without the toolkit's.
#pragma once

#if defined(__CUDA__)
#define ASNI_BOTH __host__ __device__ inline
#else
#define ASNI_BOTH inline
#endif

#define ASNI_VECTORS(scalar, name)                                                                                     \
    struct name##1 { scalar x; };                                                                                      \
    struct alignas(2 * sizeof(scalar)) name##2 { scalar x, y; };                                                       \
    struct name##3 { scalar x, y, z; };                                                                                \
    struct alignas(sizeof(scalar) < 8 ? 4 * sizeof(scalar) : 16) name##4 { scalar x, y, z, w; };                       \
    ASNI_BOTH name##2 make_##name##2(scalar x, scalar y) { return {x, y}; }                                            \
    ASNI_BOTH name##3 make_##name##3(scalar x, scalar y, scalar z) { return {x, y, z}; }                               \
    ASNI_BOTH name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }

ASNI_VECTORS(signed char, char)
ASNI_VECTORS(unsigned char, uchar)
ASNI_VECTORS(short, short)
ASNI_VECTORS(unsigned short, ushort)
ASNI_VECTORS(int, int)
ASNI_VECTORS(unsigned, uint)
ASNI_VECTORS(long long, longlong)
ASNI_VECTORS(unsigned long long, ulonglong)
ASNI_VECTORS(float, float)
ASNI_VECTORS(double, double)
#undef ASNI_VECTORS

struct dim3 { unsigned x = 1, y = 1, z = 1; };

#define ASNI_MIN_MAX(type)                                              \
    ASNI_BOTH type min(type a, type b) { return b < a ? b : a; }        \
    ASNI_BOTH type max(type a, type b) { return a < b ? b : a; }

ASNI_MIN_MAX(int)
ASNI_MIN_MAX(unsigned)
ASNI_MIN_MAX(long)
ASNI_MIN_MAX(unsigned long)
ASNI_MIN_MAX(long long)
ASNI_MIN_MAX(unsigned long long)
#undef ASNI_MIN_MAX

// As CUDA's: a NaN loses against a number.
ASNI_BOTH float min(float a, float b) { return __builtin_fminf(a, b); }
ASNI_BOTH float max(float a, float b) { return __builtin_fmaxf(a, b); }
ASNI_BOTH double min(double a, double b) { return __builtin_fmin(a, b); }
ASNI_BOTH double max(double a, double b) { return __builtin_fmax(a, b); }

// The activation functions of this device. Every operation fuses the piecewise linear ones and differentiates them from what they put out; the
// others have kernels of their own (elementwise.cu) and are differentiated from what they read.
#pragma once

namespace asni {

// Asni.Networks.Activation has the same names and numbers.
enum { activation_none, activation_relu, activation_relu6, activation_silu, activation_gelu };

// A piecewise linear activation. A NaN passes through, as in the other devices.
ASNI_DEVICE float activate(float x, int activation) {
    if (activation == activation_none) return x;
    x = x <= 0.0f ? 0.0f : x;
    return activation == activation_relu6 && x >= 6.0f ? 6.0f : x;
}

// Whether the slope of a piecewise linear activation is 1, not 0, where it put out y.
ASNI_DEVICE bool activation_passes(float y, int activation) {
    return !(activation != activation_none && y <= 0.0f) && !(activation == activation_relu6 && y >= 6.0f);
}

// x / (1 + e^-x). With e of -|x| nothing overflows in the slope: there the sigmoid and its complement are 1 / (1 + e) and e / (1 + e), in one order
// or the other.
struct Silu {
    static ASNI_DEVICE float value(float x) { return x / (1.0f + expf(-x)); }

    static ASNI_DEVICE float slope(float x) {
        float e = expf(x > 0.0f ? -x : x), larger = 1.0f / (1.0f + e), smaller = e * larger;
        float sigmoid = x > 0.0f ? larger : smaller, complement = x > 0.0f ? smaller : larger;
        return fmaf(x * complement, sigmoid, sigmoid);
    }
};

// x P(x) with the normal distribution function P. For u = |x| / sqrt(2), P(-|x|) = erfc(u) / 2 = exp(-u^2) t q(t) / 2 with t = 1 / (1 + u / 2) and a
// polynomial q fitted for the smallest relative error, 4e-8.
struct Gelu {
    static ASNI_DEVICE float value(float x) {
        float exponential;
        return x * distribution(x, exponential);
    }

    static ASNI_DEVICE float slope(float x) {
        float exponential, p = distribution(x, exponential);
        // x goes to infinity where the exponential is 0: beyond 16 it is.
        x = x < -16.0f ? -16.0f : x > 16.0f ? 16.0f : x;
        return fmaf(x * 0.398942280f, exponential, p);
    }

private:
    static ASNI_DEVICE float distribution(float x, float& exponential) {
        float u = (x < 0.0f ? -x : x) * 0.707106781f, t = 1.0f / fmaf(u, 0.5f, 1.0f);
        exponential = expf(x * x * -0.5f);
        float p = -0.0587425538f;
        p = fmaf(p, t, 0.282966544f);
        p = fmaf(p, t, -0.483832141f);
        p = fmaf(p, t, 0.274165605f);
        p = fmaf(p, t, -0.0238996188f);
        p = fmaf(p, t, 0.201514903f);
        p = fmaf(p, t, 0.243405314f);
        p = fmaf(p, t, 0.282333024f);
        p = fmaf(p, t, 0.282088882f);
        float tail = exponential * 0.5f * (t * p);
        return x > 0.0f ? 1.0f - tail : tail;
    }
};

// The smooth ones; NaN for a number that is none of them.
ASNI_DEVICE float smooth_value(float x, int activation) {
    switch (activation) {
        case activation_silu: return Silu::value(x);
        case activation_gelu: return Gelu::value(x);
        default: return __uint_as_float(0x7fffffffu);
    }
}

ASNI_DEVICE float smooth_slope(float x, int activation) {
    switch (activation) {
        case activation_silu: return Silu::slope(x);
        case activation_gelu: return Gelu::slope(x);
        default: return __uint_as_float(0x7fffffffu);
    }
}

}  // namespace asni

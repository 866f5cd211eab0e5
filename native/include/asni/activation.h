// The activation functions of this device. Every operation fuses the piecewise linear ones and differentiates them from what they put out; the
// others have kernels of their own (elementwise.cu) and are differentiated from what they read.
#pragma once

namespace asni {

// Asni.Networks.Activation has the same names and numbers.
enum { activation_none, activation_relu, activation_relu6, activation_silu };

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

// The smooth ones; NaN for a number that is none of them.
ASNI_DEVICE float smooth_value(float x, int activation) {
    switch (activation) {
        case activation_silu: return Silu::value(x);
        default: return __uint_as_float(0x7fffffffu);
    }
}

ASNI_DEVICE float smooth_slope(float x, int activation) {
    switch (activation) {
        case activation_silu: return Silu::slope(x);
        default: return __uint_as_float(0x7fffffffu);
    }
}

}  // namespace asni

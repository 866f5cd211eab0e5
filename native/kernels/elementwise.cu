// Sums, activations and their gradients, element by element. Memory-bound: every operand is read once, the result written once.
#include "asni/cuda.h"
#include "asni/convolution.h"

using namespace asni;

struct ElementwiseArgs {
    const void* a;
    const void* b;
    void* y;  // may be a or b
    int64_t n;
    int activation;
};

// y = activation(a + b), or activation(a) when there is no b; piecewise linear.
template <class T>
ASNI_DEVICE void add(const ElementwiseArgs& args) {
    const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        float sum = Storage<T>::load(a + i);
        if (b != nullptr) sum += Storage<T>::load(b + i);
        Storage<T>::store(static_cast<T*>(args.y) + i, activate(sum, args.activation));
    }
}

ASNI_KERNEL(add_fp32, ElementwiseArgs, 256) { add<float>(args); }
ASNI_KERNEL(add_bf16, ElementwiseArgs, 256) { add<bf16>(args); }

// y = b where the activation that gave a had slope 1, else 0.
template <class T>
ASNI_DEVICE void activate_backward(const ElementwiseArgs& args) {
    const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        float gradient = activation_passes(Storage<T>::load(a + i), args.activation) ? Storage<T>::load(b + i) : 0.0f;
        Storage<T>::store(static_cast<T*>(args.y) + i, gradient);
    }
}

ASNI_KERNEL(activate_backward_fp32, ElementwiseArgs, 256) { activate_backward<float>(args); }
ASNI_KERNEL(activate_backward_bf16, ElementwiseArgs, 256) { activate_backward<bf16>(args); }

// y = activation(a), smooth.
template <class T>
ASNI_DEVICE void smooth(const ElementwiseArgs& args) {
    const T* a = static_cast<const T*>(args.a);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        Storage<T>::store(static_cast<T*>(args.y) + i, smooth_value(Storage<T>::load(a + i), args.activation));
}

ASNI_KERNEL(smooth_fp32, ElementwiseArgs, 256) { smooth<float>(args); }
ASNI_KERNEL(smooth_bf16, ElementwiseArgs, 256) { smooth<bf16>(args); }

// y = b * activation'(a), where a is what a smooth activation read.
template <class T>
ASNI_DEVICE void smooth_backward(const ElementwiseArgs& args) {
    const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        Storage<T>::store(static_cast<T*>(args.y) + i, Storage<T>::load(b + i) * smooth_slope(Storage<T>::load(a + i), args.activation));
}

ASNI_KERNEL(smooth_backward_fp32, ElementwiseArgs, 256) { smooth_backward<float>(args); }
ASNI_KERNEL(smooth_backward_bf16, ElementwiseArgs, 256) { smooth_backward<bf16>(args); }

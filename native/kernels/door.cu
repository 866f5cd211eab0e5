// The way in and out of the device: PyTorch's NCHW on one side, NHWC in the device's precision on the other; 8-bit images normalised on the way.
#include "asni/cuda.h"
#include "asni/convolution.h"

using namespace asni;

struct DoorArgs {
    const void* from;
    void* to;
    const float* table;  // images: 256 results a channel
    int64_t n;
    int channels, positions;
};

// Where the element at NHWC place i lies in NCHW.
ASNI_DEVICE int64_t channels_first(const DoorArgs& args, int64_t i) {
    int64_t row = i / args.channels;
    int64_t sample = row / args.positions;
    return (sample * args.channels + (i - row * args.channels)) * args.positions + (row - sample * args.positions);
}

template <class T>
ASNI_DEVICE void door_in(const DoorArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        Storage<T>::store(static_cast<T*>(args.to) + i, static_cast<const float*>(args.from)[channels_first(args, i)]);
}

ASNI_KERNEL(door_in_fp32, DoorArgs, 256) { door_in<float>(args); }
ASNI_KERNEL(door_in_bf16, DoorArgs, 256) { door_in<bf16>(args); }

template <class T>
ASNI_DEVICE void door_out(const DoorArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        static_cast<float*>(args.to)[channels_first(args, i)] = Storage<T>::load(static_cast<const T*>(args.from) + i);
}

ASNI_KERNEL(door_out_fp32, DoorArgs, 256) { door_out<float>(args); }
ASNI_KERNEL(door_out_bf16, DoorArgs, 256) { door_out<bf16>(args); }

template <class T>
ASNI_DEVICE void images_in(const DoorArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        uint8_t pixel = static_cast<const uint8_t*>(args.from)[channels_first(args, i)];
        Storage<T>::store(static_cast<T*>(args.to) + i, args.table[int(i % args.channels) * 256 + pixel]);
    }
}

ASNI_KERNEL(images_in_fp32, DoorArgs, 256) { images_in<float>(args); }
ASNI_KERNEL(images_in_bf16, DoorArgs, 256) { images_in<bf16>(args); }

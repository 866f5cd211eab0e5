// The way in and out of the device: PyTorch's NCHW on one side, NHWC in the device's precision on the other; 8-bit images normalised on the way.
#include "asni/cuda.h"
#include "asni/convolution.h"

using namespace asni;

struct LayoutConversionArgs {
    const void* from;
    void* to;
    const float* table;  // images: 256 results a channel
    int64_t n;
    int channels, positions;
};

// Where the element at NHWC place i lies in NCHW.
ASNI_DEVICE int64_t channels_first(const LayoutConversionArgs& args, int64_t i) {
    int64_t row = i / args.channels;
    int64_t sample = row / args.positions;
    return (sample * args.channels + (i - row * args.channels)) * args.positions + (row - sample * args.positions);
}

template <class T>
ASNI_DEVICE void to_channels_last(const LayoutConversionArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        Storage<T>::store(static_cast<T*>(args.to) + i, static_cast<const float*>(args.from)[channels_first(args, i)]);
}

ASNI_KERNEL(to_channels_last_fp32, LayoutConversionArgs, 256) { to_channels_last<float>(args); }
ASNI_KERNEL(to_channels_last_bf16, LayoutConversionArgs, 256) { to_channels_last<bf16>(args); }

template <class T>
ASNI_DEVICE void to_channels_first(const LayoutConversionArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads())
        static_cast<float*>(args.to)[channels_first(args, i)] = Storage<T>::load(static_cast<const T*>(args.from) + i);
}

ASNI_KERNEL(to_channels_first_fp32, LayoutConversionArgs, 256) { to_channels_first<float>(args); }
ASNI_KERNEL(to_channels_first_bf16, LayoutConversionArgs, 256) { to_channels_first<bf16>(args); }

template <class T>
ASNI_DEVICE void images_to_channels_last(const LayoutConversionArgs& args) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) {
        uint8_t pixel = static_cast<const uint8_t*>(args.from)[channels_first(args, i)];
        Storage<T>::store(static_cast<T*>(args.to) + i, args.table[int(i % args.channels) * 256 + pixel]);
    }
}

ASNI_KERNEL(images_to_channels_last_fp32, LayoutConversionArgs, 256) { images_to_channels_last<float>(args); }
ASNI_KERNEL(images_to_channels_last_bf16, LayoutConversionArgs, 256) { images_to_channels_last<bf16>(args); }

// How an image of a dataset enters a batch: pixel (y, x) is (y + top, x + left) of it, 0 outside, then mirrored left-right if asked.
struct SampleDraw {
    int index, top, left;
    bool flip;
};

struct SampleArgs {
    const uint8_t* pixels;  // NCHW, the whole dataset
    const int* labels;
    const SampleDraw* draws;  // one a sample of the batch
    const float* table;
    void* to;
    int* labels_to;
    int batch, channels, height, width;
};

template <class T>
ASNI_DEVICE void sample_images(const SampleArgs& args) {
    int64_t plane = int64_t(args.height) * args.width, n = args.batch * plane;
    for (int64_t i = grid_thread(); i < n; i += grid_threads()) {
        int sample = int(i / plane), position = int(i - sample * plane), y = position / args.width, x = position - y * args.width;
        SampleDraw draw = args.draws[sample];
        if (position == 0) args.labels_to[sample] = args.labels[draw.index];
        int from_y = y + draw.top, from_x = (draw.flip ? args.width - 1 - x : x) + draw.left;
        bool inside = from_y >= 0 && from_y < args.height && from_x >= 0 && from_x < args.width;
        const uint8_t* pixel = args.pixels + draw.index * args.channels * plane + int64_t(from_y) * args.width + from_x;
        for (int c = 0; c < args.channels; c++)
            Storage<T>::store(static_cast<T*>(args.to) + i * args.channels + c, args.table[c * 256 + (inside ? pixel[c * plane] : 0)]);
    }
}

ASNI_KERNEL(sample_images_fp32, SampleArgs, 256) { sample_images<float>(args); }
ASNI_KERNEL(sample_images_bf16, SampleArgs, 256) { sample_images<bf16>(args); }

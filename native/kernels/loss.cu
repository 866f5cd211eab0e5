// Softmax cross-entropy with label smoothing, or soft targets of a teacher, and top-1/top-5 counts: a warp a sample, then one block that adds the samples up in a fixed order.
#include "asni/cuda.h"
#include "asni/convolution.h"

using namespace asni;

struct LossArgs {
    const void* logits;   // (samples, classes)
    const int* labels;
    void* gradient;       // of the batch's mean loss, or null
    float* losses;        // a sample each
    int* hits;            // a sample each: bit 0 top-1, bit 1 top-5
    int samples, classes;
    int of;               // samples that the mean is over
    float smoothing;
    const void* teacher;  // logits as those of the network, or null
    float temperature, weight;  // of the teacher's share of the loss
};

// log sum exp(x / temperature) of a row, to every lane.
template <class T>
ASNI_DEVICE float log_of_sum(const T* x, int classes, float temperature) {
    float largest = Storage<T>::load(x), sum = 0;
    for (int c = lane_index(); c < classes; c += warp_size) {
        float logit = Storage<T>::load(x + c);
        if (logit > largest) largest = logit;
    }
    for (int step = warp_size / 2; step > 0; step /= 2) {
        float other = __shfl_xor_sync(all_lanes, largest, step);
        if (other > largest) largest = other;
    }
    for (int c = lane_index(); c < classes; c += warp_size) sum += expf((Storage<T>::load(x + c) - largest) / temperature);
    return largest / temperature + logf(warp_sum(sum));
}

template <class T>
ASNI_DEVICE void loss(const LossArgs& args) {
    int lane = lane_index();
    int64_t sample = int64_t(blockIdx.x) * (blockDim.x / warp_size) + warp_index();
    if (sample >= args.samples) return;
    const T* x = static_cast<const T*>(args.logits) + sample * args.classes;
    int label = args.labels[sample];
    float own = Storage<T>::load(x + label), largest = Storage<T>::load(x), sum = 0;
    int exceeding = 0, numbers = 1;
    for (int c = lane; c < args.classes; c += warp_size) {
        float logit = Storage<T>::load(x + c);
        if (logit != logit) numbers = 0;
        if (logit > largest) largest = logit;
        sum += logit;
        if (logit > own || (logit == own && c < label)) exceeding++;
    }
    for (int step = warp_size / 2; step > 0; step /= 2) {
        float other = __shfl_xor_sync(all_lanes, largest, step);
        if (other > largest) largest = other;
    }
    sum = warp_sum(sum);
    exceeding = warp_sum(exceeding);
    numbers = __all_sync(all_lanes, numbers);
    float exponentials = 0;
    for (int c = lane; c < args.classes; c += warp_size) exponentials += expf(Storage<T>::load(x + c) - largest);
    exponentials = warp_sum(exponentials);
    T* gradient = args.gradient == nullptr ? nullptr : static_cast<T*>(args.gradient) + sample * args.classes;
    const T* teacher = args.teacher == nullptr ? nullptr : static_cast<const T*>(args.teacher) + sample * args.classes;
    float t = args.temperature, soft = 0, taught = 0, divergence = 0;
    if (teacher != nullptr) {
        soft = log_of_sum(x, args.classes, t);
        taught = log_of_sum(teacher, args.classes, t);
    }
    float smoothed = args.smoothing / float(args.classes), mean = 1.0f / float(args.of);
    for (int c = lane; c < args.classes && (gradient != nullptr || teacher != nullptr); c += warp_size) {
        float logit = Storage<T>::load(x + c);
        float d = expf(logit - largest) / exponentials - smoothed - (c == label ? 1.0f - args.smoothing : 0.0f);
        if (teacher != nullptr) {
            float log = logit / t - soft, target = Storage<T>::load(teacher + c) / t - taught, q = expf(target);
            // A target of 0 costs nothing, however little the network expects it.
            if (q != 0) divergence += q * (target - log);
            d = fmaf(1.0f - args.weight, d, args.weight * t * (expf(log) - q));
        }
        if (gradient != nullptr) Storage<T>::store(gradient + c, d * mean);
    }
    // A NaN anywhere has reached the sums; without it they are as they should be.
    float value = logf(exponentials) + (largest - own) + args.smoothing * (own - sum / float(args.classes));
    if (teacher != nullptr) value = (1.0f - args.weight) * value + args.weight * t * t * warp_sum(divergence);
    if (lane != 0) return;
    args.losses[sample] = numbers ? value : __uint_as_float(0x7fffffffu);
    args.hits[sample] = numbers ? (exceeding < 1 ? 1 : 0) | (exceeding < 5 ? 2 : 0) : 0;
}

ASNI_KERNEL(loss_fp32, LossArgs, 128) { loss<float>(args); }
ASNI_KERNEL(loss_bf16, LossArgs, 128) { loss<bf16>(args); }

struct LossSums {
    double loss;
    int64_t top1, top5, samples;
};

struct LossSumArgs {
    const float* losses;
    const int* hits;
    LossSums* sums;  // added to
    int samples;
};

// One block; each thread takes every 256th sample, and the threads' sums are added in their order.
ASNI_KERNEL(loss_sum, LossSumArgs, 256) {
    ASNI_SHARED(double, loss, 256);
    ASNI_SHARED(int, top1, 256);
    ASNI_SHARED(int, top5, 256);
    int t = int(threadIdx.x);
    double sum = 0;
    int first = 0, fifth = 0;
    for (int i = t; i < args.samples; i += 256) {
        sum += args.losses[i];
        first += args.hits[i] & 1;
        fifth += args.hits[i] >> 1;
    }
    loss[t] = sum;
    top1[t] = first;
    top5[t] = fifth;
    __syncthreads();
    if (t != 0) return;
    for (int i = 1; i < 256; i++) {
        sum += loss[i];
        first += top1[i];
        fifth += top5[i];
    }
    args.sums->loss += sum;
    args.sums->top1 += first;
    args.sums->top5 += fifth;
    args.sums->samples += args.samples;
}

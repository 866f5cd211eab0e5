// The global cut that keeps exactly K weights: a radix selection over the 31 bits of a float's magnitude, 11, 10 and 10 of them a pass, then
// one pass that prunes. Ties are kept by the lowest place in PyTorch's order. Counts are integers, so that their order does not matter.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

constexpr int bins = 2048;

struct ThresholdState {
    int64_t keep;     // rank that is looked for among elements with this prefix; in the end, how many of the magnitude are kept
    uint32_t prefix;  // the magnitude's bits so far
    int nan;          // whether a value is no number
};

struct HistogramArgs {
    Arena arena;
    const Chunk* chunks;
    ThresholdState* state;
    unsigned* histogram;
    int count, shift, first;
};

ASNI_KERNEL(threshold_histogram, HistogramArgs, chunk_threads) {
    ASNI_SHARED(unsigned, local, bins);
    for (int i = int(threadIdx.x); i < bins; i += chunk_threads) local[i] = 0;
    __syncthreads();
    int digits = args.first ? 11 : 10;
    uint32_t prefix = args.state->prefix;
    for (int c = int(blockIdx.x); c < args.count; c += int(gridDim.x)) {
        Chunk chunk = args.chunks[c];
        const Segment& segment = args.arena.segments[chunk.segment];
        for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
            int64_t at = segment.offset + i;
            if (!lives(args.arena, at)) continue;
            uint32_t magnitude = magnitude_bits(args.arena.values[at]);
            if (args.first && magnitude > 0x7f800000u) args.state->nan = 1;
            if (args.first || magnitude >> (args.shift + digits) == prefix >> (args.shift + digits))
                atomicAdd(local + (magnitude >> args.shift & ((1u << digits) - 1)), 1u);
        }
    }
    __syncthreads();
    for (int i = int(threadIdx.x); i < bins; i += chunk_threads)
        if (local[i] != 0) atomicAdd(args.histogram + i, local[i]);
}

struct SelectArgs {
    ThresholdState* state;
    unsigned* histogram;  // cleared for the next pass
    int shift;
};

// One block: the bin in which the rank lies, counted from the largest magnitude down.
ASNI_KERNEL(threshold_select, SelectArgs, chunk_threads) {
    constexpr int width = bins / chunk_threads;
    ASNI_SHARED(int64_t, sums, chunk_threads);
    int t = int(threadIdx.x);
    int64_t sum = 0;
    for (int i = 0; i < width; i++) sum += args.histogram[t * width + i];
    sums[t] = sum;
    __syncthreads();
    if (t == 0) {
        int64_t rest = args.state->keep;
        int part = chunk_threads - 1;
        while (part > 0 && sums[part] < rest) rest -= sums[part--];
        int bin = part * width + width - 1;
        while (bin > part * width && args.histogram[bin] < rest) rest -= args.histogram[bin--];
        args.state->keep = rest;
        args.state->prefix |= uint32_t(bin) << args.shift;
    }
    __syncthreads();
    for (int i = 0; i < width; i++) args.histogram[t * width + i] = 0;
}

struct CutArgs {
    Arena arena;
    const Chunk* chunks;
    int64_t* ties;     // of each chunk in PyTorch's order; then of all chunks before it
    int* live;         // of each listed segment, added to
    int64_t keep_equal;
    uint32_t magnitude;
    int count;
};

ASNI_KERNEL(threshold_ties, CutArgs, chunk_threads) {
    ASNI_SHARED(int, shared, chunk_threads);
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = args.arena.segments[chunk.segment];
    int ties = 0;
    for (int64_t j = chunk.first + threadIdx.x; j < segment.count && j < chunk.first + chunk_elements; j += chunk_threads) {
        int64_t at = segment.offset + device_order(segment, j);
        ties += lives(args.arena, at) && magnitude_bits(args.arena.values[at]) == args.magnitude;
    }
    ties = block_sum(ties, shared);
    if (threadIdx.x == 0) args.ties[blockIdx.x] = ties;
}

// One block: the counts become sums over all chunks before.
ASNI_KERNEL(threshold_scan, CutArgs, chunk_threads) {
    ASNI_SHARED(int64_t, sums, chunk_threads);
    int t = int(threadIdx.x), each = (args.count + chunk_threads - 1) / chunk_threads;
    int first = t * each, last = first + each < args.count ? first + each : args.count;
    int64_t sum = 0;
    for (int i = first; i < last; i++) sum += args.ties[i];
    sums[t] = sum;
    __syncthreads();
    int64_t before = 0;
    for (int i = 0; i < t; i++) before += sums[i];
    for (int i = first; i < last; i++) {
        int64_t ties = args.ties[i];
        args.ties[i] = before;
        before += ties;
    }
}

ASNI_KERNEL(threshold_prune, CutArgs, chunk_threads) {
    constexpr int each = chunk_elements / chunk_threads;
    ASNI_SHARED(int, ranks, chunk_threads);
    ASNI_SHARED(int, shared, chunk_threads);
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = args.arena.segments[chunk.segment];
    // Neighbouring elements a thread: its ties come before those of the next thread.
    int64_t first = chunk.first + int64_t(threadIdx.x) * each;
    int ties = 0;
    for (int64_t j = first; j < first + each && j < segment.count; j++) {
        int64_t at = segment.offset + device_order(segment, j);
        ties += lives(args.arena, at) && magnitude_bits(args.arena.values[at]) == args.magnitude;
    }
    ranks[threadIdx.x] = ties;
    __syncthreads();
    int64_t rank = args.ties[blockIdx.x];
    for (int i = 0; i < int(threadIdx.x); i++) rank += ranks[i];
    int kept = 0;
    for (int64_t j = first; j < first + each && j < segment.count; j++) {
        int64_t at = segment.offset + device_order(segment, j);
        if (!lives(args.arena, at)) continue;
        uint32_t magnitude = magnitude_bits(args.arena.values[at]);
        if (magnitude > args.magnitude || (magnitude == args.magnitude && rank++ < args.keep_equal)) {
            kept++;
            continue;
        }
        set_value(args.arena, at, 0);
        args.arena.state0[at] = args.arena.state1[at] = 0;
        atomicAnd(args.arena.masks + (at >> 5), ~(1u << (at & 31)));
    }
    kept = block_sum(kept, shared);
    if (threadIdx.x == 0) atomicAdd(args.live + chunk.segment, kept);
}

// Sums and counts of each tensor's live elements on either side of a pivot, in double, and their replacement by two numbers: what ASNI-II's
// initialization and Lloyd's iterations are made of. One read of the weights.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

struct SideSums {
    double sum_above;
    int64_t count_above;
    double sum_below;
    int64_t count_below;
};

struct SideSumsArgs {
    Arena arena;
    const Chunk* chunks;
    const float* pivots;    // by segment
    SideSums* partial;      // a chunk each
    SideSums* sums;         // by segment
    const int* first_chunk; // by listed segment, and the end: its chunks
};

ASNI_KERNEL(side_sums, SideSumsArgs, chunk_threads) {
    ASNI_SHARED(double, doubles, chunk_threads);
    ASNI_SHARED(int, integers, chunk_threads);
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = args.arena.segments[chunk.segment];
    float pivot = args.pivots[chunk.segment];
    double above = 0, below = 0;
    int count_above = 0, count_below = 0;
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        if (!lives(args.arena, at)) continue;
        float w = args.arena.values[at];
        if (w > pivot) {
            above += w;
            count_above++;
        }
        if (w < pivot) {
            below += w;
            count_below++;
        }
    }
    above = block_sum(above, doubles);
    below = block_sum(below, doubles);
    count_above = block_sum(count_above, integers);
    count_below = block_sum(count_below, integers);
    if (threadIdx.x == 0) args.partial[blockIdx.x] = SideSums{above, count_above, below, count_below};
}

// A block a listed segment: its chunks' sums, in an order of its own that is always the same.
ASNI_KERNEL(side_sums_total, SideSumsArgs, chunk_threads) {
    ASNI_SHARED(double, doubles, chunk_threads);
    ASNI_SHARED(int64_t, integers, chunk_threads);
    int first = args.first_chunk[blockIdx.x], last = args.first_chunk[blockIdx.x + 1];
    SideSums sum = {0, 0, 0, 0};
    for (int i = first + int(threadIdx.x); i < last; i += chunk_threads) {
        sum.sum_above += args.partial[i].sum_above;
        sum.sum_below += args.partial[i].sum_below;
        sum.count_above += args.partial[i].count_above;
        sum.count_below += args.partial[i].count_below;
    }
    sum.sum_above = block_sum(sum.sum_above, doubles);
    sum.sum_below = block_sum(sum.sum_below, doubles);
    sum.count_above = block_sum(sum.count_above, integers);
    sum.count_below = block_sum(sum.count_below, integers);
    if (threadIdx.x == 0) args.sums[blockIdx.x] = sum;
}

struct AssignSidesArgs {
    Arena arena;
    const Chunk* chunks;
    float pivot, above, below;
};

ASNI_KERNEL(assign_sides, AssignSidesArgs, chunk_threads) {
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = args.arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        float w = args.arena.values[at];
        if (!lives(args.arena, at) || !(w != args.pivot)) continue;
        if (w > args.pivot) set_value(args.arena, at, args.above);
        if (w < args.pivot) set_value(args.arena, at, args.below);
    }
}

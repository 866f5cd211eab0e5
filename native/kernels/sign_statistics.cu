// Sums and counts of each tensor's live elements by the sign of their difference from a pivot, in double, and their replacement by two numbers: what ASNI-II's
// initialization and Lloyd's iterations are made of. One read of the weights.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

struct alignas(16) SignStatistics {
    double sum_above;
    int64_t count_above;
    double sum_below;
    int64_t count_below;
};

struct SignStatisticsArgs {
    Arena arena;
    const Chunk* chunks;
    const float* pivots;    // by segment
    SignStatistics* partial;      // a chunk each
    SignStatistics* sums;         // by segment
    const int* first_chunk; // by listed segment, and the end: its chunks
    int count;              // of chunks
};

ASNI_DEVICE void add_by_sign(float w, float pivot, double& above, double& below, int& count_above, int& count_below) {
    if (w > pivot) {
        above += w;
        count_above++;
    }
    if (w < pivot) {
        below += w;
        count_below++;
    }
}

// A warp a chunk.
ASNI_KERNEL(sign_statistics, SignStatisticsArgs, chunk_threads) {
    int c = int(blockIdx.x) * chunk_warps + int(threadIdx.x) / warp_size;
    if (c >= args.count) return;
    Chunk chunk = args.chunks[c];
    float pivot = args.pivots[chunk.segment];
    WarpChunk part = load_chunk(args.arena, args.arena.values, args.arena.segments[chunk.segment], chunk.first);
    double above = 0, below = 0;
    int count_above = 0, count_below = 0;
    ASNI_UNROLL
    for (int k = 0; k < chunk_vectors; k++) {
        // A pruned element counts as the pivot, which belongs to neither side.
        float4 v = part.values[k];
        uint32_t live = part.live >> (k * 4);
        add_by_sign(live & 1 ? v.x : pivot, pivot, above, below, count_above, count_below);
        add_by_sign(live & 2 ? v.y : pivot, pivot, above, below, count_above, count_below);
        add_by_sign(live & 4 ? v.z : pivot, pivot, above, below, count_above, count_below);
        add_by_sign(live & 8 ? v.w : pivot, pivot, above, below, count_above, count_below);
    }
    above = warp_sum(above);
    below = warp_sum(below);
    count_above = __reduce_add_sync(all_lanes, count_above);
    count_below = __reduce_add_sync(all_lanes, count_below);
    if (threadIdx.x % warp_size == 0) args.partial[c] = SignStatistics{above, count_above, below, count_below};
}

// A block a listed segment: its chunks' sums, in an order of its own that is always the same.
ASNI_KERNEL(sign_statistics_total, SignStatisticsArgs, chunk_threads) {
    ASNI_SHARED(SignStatistics, warps, chunk_warps);
    constexpr int each = 4;
    int first = args.first_chunk[blockIdx.x], last = args.first_chunk[blockIdx.x + 1];
    SignStatistics sum = {0, 0, 0, 0};
    for (int i = first + int(threadIdx.x); i < last; i += each * chunk_threads) {
        SignStatistics partial[each];
        ASNI_UNROLL
        for (int k = 0; k < each; k++) partial[k] = args.partial[i + k * chunk_threads < last ? i + k * chunk_threads : i];
        ASNI_UNROLL
        for (int k = 0; k < each; k++) {
            if (i + k * chunk_threads >= last) continue;
            sum.sum_above += partial[k].sum_above;
            sum.count_above += partial[k].count_above;
            sum.sum_below += partial[k].sum_below;
            sum.count_below += partial[k].count_below;
        }
    }
    sum.sum_above = warp_sum(sum.sum_above);
    sum.count_above = warp_sum(sum.count_above);
    sum.sum_below = warp_sum(sum.sum_below);
    sum.count_below = warp_sum(sum.count_below);
    if (threadIdx.x % warp_size == 0) warps[threadIdx.x / warp_size] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < chunk_warps; warp++) {
        sum.sum_above += warps[warp].sum_above;
        sum.count_above += warps[warp].count_above;
        sum.sum_below += warps[warp].sum_below;
        sum.count_below += warps[warp].count_below;
    }
    args.sums[blockIdx.x] = sum;
}

struct AssignBySignArgs {
    Arena arena;
    const Chunk* chunks;
    float pivot, above, below;
};

ASNI_KERNEL(assign_by_sign, AssignBySignArgs, chunk_threads) {
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

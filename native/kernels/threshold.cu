// The global cut that keeps exactly K weights: a radix selection over the 31 bits of a float's magnitude, 12, 10 and 9 of them a pass. The first
// pass reads all weights; the second decides all but those whose first 12 bits are the cut's, and lists them; the others read that list alone:
// about two reads of the weights in all. Ties are kept by the lowest place in PyTorch's order. Counts are integers, so that their order does not
// matter, and neither does the list's.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

constexpr int bins = 4096, first_shift = 19, each = chunk_elements / chunk_threads;

// Digits of 12, 10 and 9 bits. No tables: nvcc keeps constant arrays on the host.
ASNI_DEVICE int digit_bits(int pass) { return pass == 0 ? 12 : pass == 1 ? 10 : 9; }
ASNI_DEVICE int digit_shift(int pass) { return pass == 0 ? first_shift : pass == 1 ? 9 : 0; }

struct ThresholdState {
    int64_t keep;         // rank that is looked for among elements with this prefix; in the end, how many of the magnitude are kept
    uint32_t prefix;      // the magnitude's bits so far
    int nan;              // whether a value is no number
    unsigned candidates;  // elements with the first prefix
    unsigned ties;        // elements of the bin chosen last; in the end, of the magnitude
};

struct Candidate {
    uint32_t at, magnitude;
};

struct SearchArgs {
    Arena arena;
    const Chunk* chunks;
    ThresholdState* state;
    unsigned* histogram;  // cleared by each selection for the next pass
    Candidate* candidates;
    int* live;            // of each segment, added to when pruning
    int count, pass, prune;
};

// The neighbouring elements of a thread, one vector where the segment has them all; -1 as a magnitude stands for a pruned or missing one.
struct Magnitudes {
    uint32_t of[each];
};

ASNI_DEVICE Magnitudes load_magnitudes(const SearchArgs& args, const Segment& segment, int64_t first) {
    static_assert(each == 4, "one vector a thread");
    Magnitudes m;
    int64_t at = segment.offset + first;
    float values[each] = {0, 0, 0, 0};
    if (first + each <= segment.count) {
        float4 v = *reinterpret_cast<const float4*>(args.arena.values + at);
        values[0] = v.x; values[1] = v.y; values[2] = v.z; values[3] = v.w;
    } else {
        for (int k = 0; k < each && first + k < segment.count; k++) values[k] = args.arena.values[at + k];
    }
    // Segments start at multiples of 64, so that the four bits lie in one word.
    uint32_t mask = first < segment.count ? args.arena.masks[at >> 5] >> (at & 31) : 0;
    for (int k = 0; k < each; k++)
        m.of[k] = first + k < segment.count && (mask >> k & 1) ? magnitude_bits(values[k]) : 0xffffffffu;
    return m;
}

ASNI_DEVICE void clear(unsigned* local) {
    for (int i = int(threadIdx.x); i < bins; i += chunk_threads) local[i] = 0;
    __syncthreads();
}

ASNI_DEVICE void flush(const unsigned* local, unsigned* histogram) {
    __syncthreads();
    for (int i = int(threadIdx.x); i < bins; i += chunk_threads)
        if (local[i] != 0) atomicAdd(histogram + i, local[i]);
}

// First pass: all weights, by their first 12 bits.
ASNI_KERNEL(threshold_histogram, SearchArgs, chunk_threads) {
    ASNI_SHARED(unsigned, local, bins);
    clear(local);
    for (int c = int(blockIdx.x); c < args.count; c += int(gridDim.x)) {
        Chunk chunk = args.chunks[c];
        const Segment& segment = args.arena.segments[chunk.segment];
        Magnitudes m = load_magnitudes(args, segment, chunk.first + int64_t(threadIdx.x) * each);
        for (int k = 0; k < each; k++) {
            if (m.of[k] == 0xffffffffu) continue;
            if (m.of[k] > 0x7f800000u) args.state->nan = 1;
            atomicAdd(local + (m.of[k] >> first_shift), 1u);
        }
    }
    flush(local, args.histogram);
}

// Later passes: the listed ones that agree in the bits so far, by the next bits.
ASNI_KERNEL(threshold_refine, SearchArgs, chunk_threads) {
    ASNI_SHARED(unsigned, local, bins);
    clear(local);
    int shift = digit_shift(args.pass), above = shift + digit_bits(args.pass);
    uint32_t prefix = args.state->prefix >> above;
    for (unsigned i = unsigned(grid_thread()); i < args.state->candidates; i += unsigned(grid_threads())) {
        uint32_t magnitude = args.candidates[i].magnitude;
        if (magnitude >> above == prefix) atomicAdd(local + (magnitude >> shift & ((1u << digit_bits(args.pass)) - 1)), 1u);
    }
    flush(local, args.histogram);
}

// One block: the bin in which the rank lies, counted from the largest magnitude down.
ASNI_KERNEL(threshold_select, SearchArgs, chunk_threads) {
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
        args.state->ties = args.histogram[bin];
        args.state->prefix |= uint32_t(bin) << digit_shift(args.pass);
    }
    __syncthreads();
    for (int i = 0; i < width; i++) args.histogram[t * width + i] = 0;
}

ASNI_DEVICE void prune(const Arena& arena, int64_t at) {
    set_value(arena, at, 0);
    arena.state0[at] = arena.state1[at] = 0;
    atomicAnd(arena.masks + (at >> 5), ~(1u << (at & 31)));
}

// Second pass: what the first bits decide is decided; the rest is listed.
ASNI_KERNEL(threshold_split, SearchArgs, chunk_threads) {
    ASNI_SHARED(int, shared, chunk_threads);
    ASNI_SHARED(unsigned, places, 2);
    if (args.state->nan) return;
    uint32_t cut = args.state->prefix >> first_shift;
    for (int c = int(blockIdx.x); c < args.count; c += int(gridDim.x)) {
        Chunk chunk = args.chunks[c];
        const Segment& segment = args.arena.segments[chunk.segment];
        int64_t first = chunk.first + int64_t(threadIdx.x) * each;
        Magnitudes m = load_magnitudes(args, segment, first);
        int kept = 0;
        unsigned listed = 0;
        for (int k = 0; k < each; k++) {
            if (m.of[k] == 0xffffffffu) continue;
            uint32_t bin = m.of[k] >> first_shift;
            kept += bin > cut;
            listed += bin == cut;
            if (bin < cut && args.prune) prune(args.arena, segment.offset + first + k);
        }
        if (threadIdx.x == 0) places[0] = 0;
        __syncthreads();
        unsigned place = listed == 0 ? 0 : atomicAdd(places, listed);
        __syncthreads();
        if (threadIdx.x == 0 && places[0] != 0) places[1] = atomicAdd(&args.state->candidates, places[0]);
        if (args.prune) {
            kept = block_sum(kept, shared);
            if (threadIdx.x == 0 && kept != 0) atomicAdd(args.live + chunk.segment, kept);
        }
        __syncthreads();
        if (listed != 0) place += places[1];
        for (int k = 0; k < each && listed != 0; k++)
            if (m.of[k] != 0xffffffffu && m.of[k] >> first_shift == cut)
                args.candidates[place++] = Candidate{uint32_t(segment.offset + first + k), m.of[k]};
        __syncthreads();
    }
}

// Last, when all ties are kept: the listed ones below the cut go.
ASNI_KERNEL(threshold_finish, SearchArgs, chunk_threads) {
    if (args.state->nan || args.state->ties != args.state->keep) return;
    for (unsigned i = unsigned(grid_thread()); i < args.state->candidates; i += unsigned(grid_threads())) {
        Candidate candidate = args.candidates[i];
        if (candidate.magnitude < args.state->prefix) {
            prune(args.arena, candidate.at);
            continue;
        }
        // The segment of the arena that the element lies in.
        int low = 0, high = args.count;
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (args.arena.segments[middle].offset <= candidate.at) low = middle;
            else high = middle;
        }
        atomicAdd(args.live + low, 1);
    }
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
        prune(args.arena, at);
    }
    kept = block_sum(kept, shared);
    if (threadIdx.x == 0) atomicAdd(args.live + chunk.segment, kept);
}

// The global cut that keeps exactly K weights, by magnitude or by score: a radix selection over keys of 32 bits, 12, 10 and 10 of them a pass. The
// first pass reads all weights; the second decides all but those whose first 12 bits are the cut's, and lists them, each warp in a place of its own; the
// third reads that list alone: about two reads of the weights in all. Ties are kept by the lowest place in PyTorch's order. Counts are integers,
// so that their order does not matter, and neither does the list's.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

// Digits of 12, 10 and 10 bits.
constexpr int first_shift = 20, second_shift = 10, bins = 4096, second_bins = 1024, last_bins = 1024, each = chunk_elements / chunk_threads;
constexpr int search_blocks = 3;  // on a multiprocessor at once
constexpr uint32_t no_number = 0xffffffffu, zero_score = 0x80000000u;

// What elements are ranked by.
struct RankingArgs {
    const float* numbers;  // as the arena's values lie
    int is_signed;         // 0: by magnitude
};

// An integer that orders as numbers do, by magnitude or signed; both zeros have one key.
ASNI_DEVICE uint32_t number_key(float x, int is_signed) {
    uint32_t bits = __float_as_uint(x), magnitude = bits << 1;
    if (!is_signed) return magnitude;
    return magnitude == 0 ? zero_score : (bits & zero_score) != 0 ? ~bits : bits | zero_score;
}

// The same, and no_number for what is none.
ASNI_DEVICE uint32_t rank_key(float x, int is_signed) { return __float_as_uint(x) << 1 > 0xff000000u ? no_number : number_key(x, is_signed); }

ASNI_DEVICE uint32_t rank_key(const RankingArgs& ranking, int64_t at) { return rank_key(ranking.numbers[at], ranking.is_signed); }

// No tables: nvcc keeps constant arrays on the host.
ASNI_DEVICE int digit_shift(int pass) { return pass == 0 ? first_shift : pass == 1 ? second_shift : 0; }

struct ThresholdState {
    int64_t keep;     // rank that is looked for among elements with this prefix; in the end, how many of the key are kept
    uint32_t prefix;  // the key's bits so far
    int nan;          // whether one is no number
    unsigned ties;    // elements of the bin chosen last; in the end, of the key
};

struct Candidate {
    uint32_t at, key;
};

struct SearchArgs {
    Arena arena;
    RankingArgs ranking;
    const Chunk* chunks;
    ThresholdState* state;   // written by the first selection
    unsigned* histogram;     // cleared by each selection for the next pass
    Candidate* candidates;   // of each warp, capacity of them
    unsigned* listed;        // of each warp, how many it has
    int* live;               // of each segment, added to when pruning
    int64_t keep, capacity;
    int count, pass, prune;
};

ASNI_DEVICE int search_warp() { return int(blockIdx.x) * chunk_warps + int(threadIdx.x) / warp_size; }
ASNI_DEVICE int search_warps() { return int(gridDim.x) * chunk_warps; }

ASNI_DEVICE void clear(unsigned* local, int count) {
    for (int i = int(threadIdx.x); i < count; i += chunk_threads) local[i] = 0;
    __syncthreads();
}

ASNI_DEVICE void flush(const unsigned* local, unsigned* histogram, int count) {
    __syncthreads();
    for (int i = int(threadIdx.x); i < count; i += chunk_threads)
        if (local[i] != 0) atomicAdd(histogram + i, local[i]);
}

// First pass: all weights, by their first 12 bits. The last bin, which no number has, is for all that are none.
ASNI_KERNEL(threshold_histogram, SearchArgs, chunk_threads, search_blocks) {
    ASNI_SHARED(unsigned, local, bins);
    clear(local, bins);
    for (int c = search_warp(); c < args.count; c += search_warps()) {
        Chunk chunk = args.chunks[c];
        WarpChunk part = load_chunk(args.arena, args.ranking.numbers, args.arena.segments[chunk.segment], chunk.first);
        ASNI_UNROLL
        for (int i = 0; i < warp_size; i++)
            if (part.live >> i & 1) atomicAdd(local + (rank_key(chunk_value(part, i), args.ranking.is_signed) >> first_shift), 1u);
    }
    flush(local, args.histogram, bins);
}

// One block: the bin in which the rank lies, counted from the largest key down.
ASNI_KERNEL(threshold_select, SearchArgs, chunk_threads) {
    constexpr int width = bins / chunk_threads;
    static_assert(width % 4 == 0, "whole vectors a thread");
    ASNI_SHARED(int64_t, warps, chunk_warps);
    int t = int(threadIdx.x), lane = t % warp_size, warp = t / warp_size;
    int64_t seen = load_volatile(&args.state->keep), rest = args.pass == 0 ? int64_t(args.keep) : int64_t(seen);
    uint4* own = reinterpret_cast<uint4*>(args.histogram) + t * (width / 4);
    unsigned counts[width];
    ASNI_UNROLL
    for (int i = 0; i < width / 4; i++) {
        uint4 v = own[i];
        counts[i * 4] = v.x;
        counts[i * 4 + 1] = v.y;
        counts[i * 4 + 2] = v.z;
        counts[i * 4 + 3] = v.w;
    }
    int64_t sum = 0;
    ASNI_UNROLL
    for (int i = 0; i < width; i++) sum += counts[i];
    // Of this thread's bins and all larger ones: first of the warp's, then of the block's.
    int64_t reached = sum;
    for (int step = 1; step < warp_size; step *= 2) {
        int64_t other = __shfl_down_sync(all_lanes, reached, unsigned(step));
        if (lane + step < warp_size) reached += other;
    }
    if (lane == 0) warps[warp] = reached;
    __syncthreads();
    for (int i = 1; i < chunk_warps; i++)
        if (i > warp) reached += warps[i];
    int64_t above = reached - sum;
    bool chosen = rest <= 0 ? t == chunk_threads - 1 : above < rest && (reached >= rest || t == 0);
    if (chosen) {
        int bin = width - 1;
        unsigned ties = counts[width - 1];
        int64_t left = rest;
        ASNI_UNROLL
        for (int i = width - 1; i >= 0; i--) {
            int64_t count = counts[i];
            if (above < rest && (above + count >= rest || i == 0)) {
                bin = i;
                ties = unsigned(count);
                left = rest - above;
            }
            above += count;
        }
        args.state->keep = left;
        args.state->ties = ties;
        args.state->prefix = (args.pass == 0 ? 0 : args.state->prefix) | uint32_t(t * width + bin) << digit_shift(args.pass);
    }
    if (args.pass == 0 && t == chunk_threads - 1) args.state->nan = counts[width - 1] != 0;
    ASNI_UNROLL
    for (int i = 0; i < width / 4; i++) own[i] = make_uint4(0, 0, 0, 0);
}

// In an arena without values only the mask changes.
ASNI_DEVICE void erase(const Arena& arena, int64_t at) {
    if (arena.values == nullptr) return;
    set_value(arena, at, 0);
    arena.state0[at] = arena.state1[at] = 0;
}

ASNI_DEVICE void prune(const Arena& arena, int64_t at) {
    erase(arena, at);
    atomicAnd(arena.masks + (at >> 5), ~(1u << (at & 31)));
}

// Second pass: what the first bits decide is decided; the rest is listed, and counted by the next bits.
ASNI_KERNEL(threshold_split, SearchArgs, chunk_threads, search_blocks) {
    ASNI_SHARED(unsigned, local, second_bins);
    if (args.state->nan) return;
    clear(local, second_bins);
    uint32_t low = args.state->prefix, rest = (1u << first_shift) - 1;
    int lane = int(threadIdx.x) % warp_size;
    Candidate* candidates = args.candidates + search_warp() * args.capacity;
    unsigned filled = 0;
    for (int c = search_warp(); c < args.count; c += search_warps()) {
        Chunk chunk = args.chunks[c];
        const Segment& segment = args.arena.segments[chunk.segment];
        WarpChunk part = load_chunk(args.arena, args.ranking.numbers, segment, chunk.first);
        int64_t first = segment.offset + chunk.first;
        uint32_t kept = 0, listed = 0;
        ASNI_UNROLL
        for (int i = 0; i < warp_size; i++) {
            uint32_t key = number_key(chunk_value(part, i), args.ranking.is_signed);
            kept |= uint32_t(key > (low | rest)) << i;
            listed |= uint32_t(key - low <= rest) << i;
        }
        kept &= part.live;
        listed &= part.live;
        if (args.prune) {
            uint32_t gone = part.live & ~kept & ~listed;
            for (int k = 0; k < chunk_vectors; k++) {
                uint32_t four = gone >> (k * 4) & 15u;
                if (four == 0) continue;
                int64_t at = first + chunk_place(k * 4);
                for (int e = 0; e < 4; e++)
                    if (four >> e & 1) erase(args.arena, at + e);
                atomicAnd(args.arena.masks + (at >> 5), ~(four << (at & 31)));
            }
            int live = __reduce_add_sync(all_lanes, __popc(kept));
            if (lane == 0 && live != 0) atomicAdd(args.live + chunk.segment, live);
        }
        if (!__any_sync(all_lanes, listed != 0)) continue;
        unsigned mine = unsigned(__popc(listed)), place = mine;
        for (int step = 1; step < warp_size; step *= 2) {
            unsigned other = __shfl_up_sync(all_lanes, place, unsigned(step));
            if (lane >= step) place += other;
        }
        unsigned all = __shfl_sync(all_lanes, place, warp_size - 1);
        place += filled - mine;
        filled += all;
        // Few: they are read again rather than found in registers by a bit known only now.
        for (; listed != 0; listed &= listed - 1) {
            int64_t at = first + chunk_place(__ffs(int(listed)) - 1);
            uint32_t key = rank_key(args.ranking, at);
            candidates[place++] = Candidate{uint32_t(at), key};
            atomicAdd(local + (key >> second_shift & (second_bins - 1)), 1u);
        }
    }
    if (lane == 0) args.listed[search_warp()] = filled;
    flush(local, args.histogram, second_bins);
}

// Last pass: the listed ones that agree in the bits so far, by the last bits.
ASNI_KERNEL(threshold_refine, SearchArgs, chunk_threads) {
    ASNI_SHARED(unsigned, local, last_bins);
    if (args.state->nan) return;
    clear(local, last_bins);
    constexpr int loads = 4;
    uint32_t prefix = args.state->prefix >> second_shift;
    const Candidate* candidates = args.candidates + search_warp() * args.capacity;
    int count = int(args.listed[search_warp()]);
    for (int i = int(threadIdx.x) % warp_size; i < count; i += loads * warp_size) {
        uint32_t keys[loads];
        ASNI_UNROLL
        for (int k = 0; k < loads; k++) keys[k] = candidates[i + k * warp_size < count ? i + k * warp_size : i].key;
        ASNI_UNROLL
        for (int k = 0; k < loads; k++)
            if (i + k * warp_size < count && keys[k] >> second_shift == prefix) atomicAdd(local + (keys[k] & (last_bins - 1)), 1u);
    }
    flush(local, args.histogram, last_bins);
}

// Last, when all ties are kept: the listed ones below the cut go.
ASNI_KERNEL(threshold_finish, SearchArgs, chunk_threads) {
    if (args.state->nan || args.state->ties != args.state->keep) return;
    const Candidate* candidates = args.candidates + search_warp() * args.capacity;
    int count = int(args.listed[search_warp()]);
    for (int i = int(threadIdx.x) % warp_size; i < count; i += warp_size) {
        Candidate candidate = candidates[i];
        if (candidate.key < args.state->prefix) {
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
    RankingArgs ranking;
    const Chunk* chunks;
    int64_t* ties;     // of each chunk in PyTorch's order; then of all chunks before it
    int* live;         // of each listed segment, added to
    int64_t keep_equal;
    uint32_t key;
    int count;
};

ASNI_KERNEL(threshold_ties, CutArgs, chunk_threads) {
    ASNI_SHARED(int, shared, chunk_threads);
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = args.arena.segments[chunk.segment];
    int ties = 0;
    for (int64_t j = chunk.first + threadIdx.x; j < segment.count && j < chunk.first + chunk_elements; j += chunk_threads) {
        int64_t at = segment.offset + device_order(segment, j);
        ties += lives(args.arena, at) && rank_key(args.ranking, at) == args.key;
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
        ties += lives(args.arena, at) && rank_key(args.ranking, at) == args.key;
    }
    ranks[threadIdx.x] = ties;
    __syncthreads();
    int64_t rank = args.ties[blockIdx.x];
    for (int i = 0; i < int(threadIdx.x); i++) rank += ranks[i];
    int kept = 0;
    for (int64_t j = first; j < first + each && j < segment.count; j++) {
        int64_t at = segment.offset + device_order(segment, j);
        if (!lives(args.arena, at)) continue;
        uint32_t key = rank_key(args.ranking, at);
        if (key > args.key || (key == args.key && rank++ < args.keep_equal)) {
            kept++;
            continue;
        }
        prune(args.arena, at);
    }
    kept = block_sum(kept, shared);
    if (threadIdx.x == 0) atomicAdd(args.live + chunk.segment, kept);
}

struct MaskArgs {
    const Segment* segments;
    const Chunk* chunks;
    const uint32_t* a;
    const uint32_t* b;  // may be null
    uint32_t* to;
    uint32_t flip;  // all bits for the complement of a, or 0
    int count;
};

// to = (a ^ flip) | b, the words of the chunks, a warp each; what lies behind a segment's end means nothing.
ASNI_KERNEL(combine_masks, MaskArgs, chunk_threads) {
    static_assert(chunk_elements == 32 * warp_size, "a word a lane");
    for (int c = search_warp(); c < args.count; c += search_warps()) {
        Chunk chunk = args.chunks[c];
        const Segment& segment = args.segments[chunk.segment];
        int element = chunk.first + int(threadIdx.x) % warp_size * 32;
        if (element >= segment.count) continue;
        int64_t word = (segment.offset + element) >> 5;
        args.to[word] = (args.a[word] ^ args.flip) | (args.b == nullptr ? 0 : args.b[word]);
    }
}

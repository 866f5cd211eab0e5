// What ranks add up: the numbers of many tensors' live elements side by side in a row, and the sum of the ranks' rows. Memory-bound.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

constexpr int chunk_words = chunk_elements / 32;

struct PackArgs {
    Arena arena;
    const Chunk* chunks;
    const int* firsts;  // where in the row each chunk's numbers begin
    float* numbers;     // lie as the arena's values do; may be them
    float* row;
    int dense;   // pruned elements as live ones
    int unpack;  // from the row to the numbers
};

ASNI_KERNEL(pack, PackArgs, chunk_threads) {
    static_assert(chunk_words == warp_size, "a word of the mask a lane");
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    int lane = lane_index(), bits = int(segment.count - chunk.first < chunk_elements ? segment.count - chunk.first : chunk_elements) - lane * 32;
    int64_t at = segment.offset + chunk.first;  // a multiple of 64
    uint32_t live = bits > 0 ? args.dense ? all_lanes : arena.masks[(at >> 5) + lane] : 0;
    if (bits > 0 && bits < 32) live &= (1u << bits) - 1;
    // Live elements of the words up to this one; each warp counts them for itself.
    int reached = __popc(live);
    for (int step = 1; step < warp_size; step *= 2) {
        int other = __shfl_up_sync(all_lanes, reached, unsigned(step));
        if (lane >= step) reached += other;
    }
    float* row = args.row + args.firsts[blockIdx.x];
    for (int word = int(threadIdx.x) / warp_size; word < chunk_words; word += chunk_warps) {
        uint32_t bits_of_word = __shfl_sync(all_lanes, live, word);
        int end = __shfl_sync(all_lanes, reached, word);
        if (bits_of_word >> lane & 1) {
            float* packed = row + end - __popc(bits_of_word >> lane);
            int64_t place = at + word * 32 + lane;
            if (!args.unpack) *packed = args.numbers[place];
            else if (args.numbers == arena.values) set_value(arena, place, *packed);
            else args.numbers[place] = *packed;
        }
    }
}

struct TreeSumArgs {
    float* rows;
    int64_t length;  // of a row; they lie behind each other
    int count;       // of rows
};

// Leaves in row 0 the sum of the rows in one binary tree over their numbers: neighbours first, then sums of 2, of 4 and so on.
ASNI_KERNEL(tree_sum, TreeSumArgs, 256) {
    constexpr int together = 8;  // rows whose loads wait for none before them
    for (int64_t i = grid_thread(); i < args.length; i += grid_threads()) {
        float* column = args.rows + i;
        for (int first = 0; first < args.count; first += together) {
            float sums[together];
            ASNI_UNROLL
            for (int row = 0; row < together; row++) sums[row] = first + row < args.count ? column[(first + row) * args.length] : 0;
            ASNI_UNROLL
            for (int stride = 1; stride < together; stride *= 2) {
                ASNI_UNROLL
                for (int row = 0; row + stride < together; row += 2 * stride)
                    if (first + row + stride < args.count) sums[row] += sums[row + stride];
            }
            column[first * args.length] = sums[0];
        }
        for (int stride = together; stride < args.count; stride *= 2)
            for (int row = 0; row + stride < args.count; row += 2 * stride) column[row * args.length] += column[(row + stride) * args.length];
    }
}

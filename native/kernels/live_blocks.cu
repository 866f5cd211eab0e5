// Which 64 x 64 blocks of a convolution's weights hold a live one, read off the mask, whose bits lie in the weights' own order.
#include "asni/cuda.h"
#include "asni/mma.h"  // ASNI_UNROLL

using namespace asni;

constexpr int live_side = 64, live_threads = 256;

struct LiveBlocksArgs {
    const uint32_t* mask;  // a bit an element, from the first of a word on
    uint32_t* count;       // of blocks with a live element; added to
    uint32_t* bits;        // a bit a block, `words` words a row of blocks; all 0 before
    int outputs, fan_in, columns, blocks, words;
};

// Whether one of at most 64 bits from `at` on is set. Only words that hold one of them are read.
ASNI_DEVICE bool any_bit(const uint32_t* mask, int64_t at, int bits) {
    const uint32_t* word = mask + (at >> 5);
    int first = int(at & 31), last = first + bits - 1;
    uint32_t found = 0;
    ASNI_UNROLL
    for (int i = 0; i < 3; i++) {
        if (last < i * 32) break;
        uint32_t value = word[i];
        if (i == 0) value &= all_lanes << first;
        if (last < i * 32 + 31) value &= (1u << (last - i * 32 + 1)) - 1;
        found |= value;
    }
    return found != 0;
}

// A warp a block, two rows a lane.
ASNI_KERNEL(live_blocks, LiveBlocksArgs, live_threads) {
    int block = int(grid_thread() / warp_size), lane = lane_index();
    if (block >= args.blocks) return;
    int row = block / args.columns, column = block - row * args.columns;
    int element = column * live_side, bits = args.fan_in - element < live_side ? args.fan_in - element : live_side;
    int found = 0;
    ASNI_UNROLL
    for (int output = row * live_side + lane, i = 0; i < live_side / warp_size; i++, output += warp_size)
        if (output < args.outputs) found |= int(any_bit(args.mask, int64_t(output) * args.fan_in + element, bits));
    if (!__any_sync(all_lanes, found) || lane != 0) return;
    atomicOr(args.bits + row * args.words + column / 32, 1u << (column % 32));
    atomicAdd(args.count, 1u);
}

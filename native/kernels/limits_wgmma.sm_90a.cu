// What Hopper's products of warpgroups do at most: out of shared memory that nobody fills anew.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

struct LimitWgmmaArgs {
    float* y;
    int rounds;
};

// The largest tile of the convolutions, 128 x 256 sums by two warpgroups, and 64 inner indices a round: 2 * 128 * 256 * 64 operations a block.
ASNI_KERNEL(limit_bf16_wgmma, LimitWgmmaArgs, 256, 1) {
    using Tile = WarpgroupTile<128, 256, 2, 1, true, true>;
    constexpr int a_bytes = Tile::m * Tile::stage_row_bytes, bytes = (Tile::m + Tile::n) * Tile::stage_row_bytes;
    ASNI_DYNAMIC_SHARED(unsigned char, shared);
    // Numbers of both signs from 0.5 to 1: products of equal ones take less power.
    for (uint32_t i = threadIdx.x; i < bytes / 4; i += Tile::threads) {
        uint32_t hash = i * 2654435761u;
        reinterpret_cast<uint32_t*>(shared)[i] = ((hash ^ hash >> 15) & 0x807f807fu) | 0x3f003f00u;
    }
    publish_to_warpgroup_products();
    __syncthreads();
    Tile tile;
    for (int round = 0; round < args.rounds; round++) {
        tile.add(shared, shared + a_bytes);
        tile.settle<1>();
    }
    tile.settle<0>();
    float sum = 0;
    tile.pairs([&](int, int, float first, float second) { sum += first + second; });
    args.y[grid_thread()] = sum;
}

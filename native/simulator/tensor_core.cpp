#include "asni/simulator_mma.h"

#include <cstring>

namespace asni::sim {

namespace {

float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// d[16][8] += a[16][depth] b[depth][8]; lane 4 g + t holds of d rows g and g + 8, columns 2 t and 2 t + 1.
template <int depth>
void multiply(void* const lanes[32], const float (&a)[16][depth], const float (&b)[depth][8]) {
    float d[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const float* mine = static_cast<const Mma*>(lanes[lane])->d;
        int g = lane / 4, t = lane % 4 * 2;
        d[g][t] = mine[0], d[g][t + 1] = mine[1], d[g + 8][t] = mine[2], d[g + 8][t + 1] = mine[3];
    }
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < depth; k++) {
            for (int column = 0; column < 8; column++) d[row][column] = __builtin_fmaf(a[row][k], b[k][column], d[row][column]);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        float* mine = static_cast<const Mma*>(lanes[lane])->d;
        int g = lane / 4, t = lane % 4 * 2;
        mine[0] = d[g][t], mine[1] = d[g][t + 1], mine[2] = d[g + 8][t], mine[3] = d[g + 8][t + 1];
    }
}

}  // namespace

void multiply_bf16(void* const lanes[32]) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const Mma& mine = *static_cast<const Mma*>(lanes[lane]);
        int g = lane / 4, t = lane % 4 * 2;
        for (int i = 0; i < 4; i++) {
            float* to = &a[g + i % 2 * 8][t + i / 2 * 8];
            to[0] = float_of(mine.a[i] << 16), to[1] = float_of(mine.a[i] & 0xffff0000u);
        }
        for (int i = 0; i < 2; i++) {
            b[t + i * 8][g] = float_of(mine.b[i] << 16), b[t + i * 8 + 1][g] = float_of(mine.b[i] & 0xffff0000u);
        }
    }
    multiply<16>(lanes, a, b);
}

void multiply_tf32(void* const lanes[32]) {
    constexpr uint32_t kept = 0xffffe000u;
    float a[16][8], b[8][8];
    for (int lane = 0; lane < 32; lane++) {
        const Mma& mine = *static_cast<const Mma*>(lanes[lane]);
        int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++) a[g + i % 2 * 8][t + i / 2 * 4] = float_of(mine.a[i] & kept);
        for (int i = 0; i < 2; i++) b[t + i * 4][g] = float_of(mine.b[i] & kept);
    }
    multiply<8>(lanes, a, b);
}

void multiply_rows(void* const lanes[32], const uint16_t (*a)[16], const uint16_t (*b)[16], int n) {
    float rows[16][16];  // k first
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < 16; k++) rows[k][row] = float_of(uint32_t(a[row][k]) << 16);
    }
    for (int column = 0; column < n; column++) {
        float* at[16];
        float sums[16];
        for (int row = 0; row < 16; row++) {
            at[row] = static_cast<WarpgroupProduct*>(lanes[row % 8 * 4 + column % 8 / 2])->d + column / 8 * 4 + row / 8 * 2 + column % 2;
            sums[row] = *at[row];
        }
        for (int k = 0; k < 16; k++) {
            float factor = float_of(uint32_t(b[column][k]) << 16);
            for (int row = 0; row < 16; row++) sums[row] += rows[k][row] * factor;
        }
        for (int row = 0; row < 16; row++) *at[row] = sums[row];
    }
}

}  // namespace asni::sim

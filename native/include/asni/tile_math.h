// The arithmetic of a block's tile: from operand tiles in shared memory, laid out as convolution_loaders.h writes them, to sums in registers.
// With one interface: fp32 multiply-adds, tensor cores in tf32 and in bf16 (both accumulate in fp32), and Hopper's products of warpgroups in bf16.
//   add(a, b)      one stage: sums += A B over the stage's inner indices; with lags, begins it
//   settle<n>()    with lags: waits until at most n stages are still read
//   store(staging) writes the sums as fp32 rows of staging_pitch
#pragma once

namespace asni {

// m_ x n_ sums by threads = (m / tm) * (n / tn), each a tm x tn part.
template <int m_, int n_, int tm, int tn, bool a_inner, bool b_inner>
struct FmaTile {
    using Element = float;
    static constexpr int chunks_together = 1;  // on their way out, as registers allow
    static constexpr bool lags = false;
    static constexpr int m = m_, n = n_, stage_row_bytes = 64, inner = 16, threads = (m / tm) * (n / tn), staging_pitch = n + 4;
    static constexpr int rows_apart = m / tm, columns_apart = n / tn;
    static_assert(tm % 4 == 0 && tn % 4 == 0, "a thread's part is made of 4x4 pieces");

    float sums[tm][tn];

    ASNI_DEVICE FmaTile() {
        ASNI_UNROLL
        for (int i = 0; i < tm; i++) {
            ASNI_UNROLL
            for (int j = 0; j < tn; j++) sums[i][j] = 0;
        }
    }

    // Which rows a thread has depends on how it reads: 16 bytes hold 4 inner indices of a row, or 4 rows of an inner index.
    template <bool along_inner>
    static ASNI_DEVICE int place(int thread, int i, int apart) {
        return along_inner ? thread + i * apart : i / 4 * 4 * apart + thread * 4 + i % 4;
    }

    // part[i][k] for 4 inner indices, beginning at the chunk.
    template <bool along_inner, int extent, int count>
    static ASNI_DEVICE void load(float (&part)[count][4], const unsigned char* tile, int thread, int apart, int chunk) {
        if constexpr (along_inner) {
            ASNI_UNROLL
            for (int i = 0; i < count; i++) {
                int row = thread + i * apart;
                float4 values = *reinterpret_cast<const float4*>(tile + row * stage_row_bytes + swizzle_along<stage_row_bytes>(row, chunk) * 16);
                part[i][0] = values.x;
                part[i][1] = values.y;
                part[i][2] = values.z;
                part[i][3] = values.w;
            }
        } else {
            ASNI_UNROLL
            for (int k = 0; k < 4; k++) {
                int row = chunk * 4 + k;
                ASNI_UNROLL
                for (int i = 0; i < count; i += 4) {
                    float4 values = *reinterpret_cast<const float4*>(tile + place_across<float, inner, extent>(row, i / 4 * apart + thread));
                    part[i][k] = values.x;
                    part[i + 1][k] = values.y;
                    part[i + 2][k] = values.z;
                    part[i + 3][k] = values.w;
                }
            }
        }
    }

    ASNI_DEVICE void add(const unsigned char* a, const unsigned char* b) {
        int row = int(threadIdx.x) / columns_apart, column = int(threadIdx.x) % columns_apart;
        ASNI_UNROLL
        for (int chunk = 0; chunk < inner / 4; chunk++) {
            float pa[tm][4], pb[tn][4];
            load<a_inner, m>(pa, a, row, rows_apart, chunk);
            load<b_inner, n>(pb, b, column, columns_apart, chunk);
            ASNI_UNROLL
            for (int k = 0; k < 4; k++) {
                ASNI_UNROLL
                for (int i = 0; i < tm; i++) {
                    ASNI_UNROLL
                    for (int j = 0; j < tn; j++) sums[i][j] = fmaf(pa[i][k], pb[j][k], sums[i][j]);
                }
            }
        }
    }

    ASNI_DEVICE void store(float* staging) const {
        int row = int(threadIdx.x) / columns_apart, column = int(threadIdx.x) % columns_apart;
        ASNI_UNROLL
        for (int i = 0; i < tm; i++) {
            ASNI_UNROLL
            for (int j = 0; j < tn; j++) {
                staging[place<a_inner>(row, i, rows_apart) * staging_pitch + place<b_inner>(column, j, columns_apart)] = sums[i][j];
            }
        }
    }
};

// Operand fragments for 32 bytes of inner indices (16 of bf16, 8 of tf32): the A of mma has four registers a lane for 16 rows,
// the B two for 8 columns, here loaded for 16 columns at once.
template <class T, int extent, int row_bytes, bool along_inner>
struct Fragments {
    // The lane's part of the permuted address, for a K-major tile: the same for every group of 8 rows.
    static ASNI_DEVICE SharedAddress along(SharedAddress tile, int row, int chunk) {
        return tile + row * row_bytes + swizzle_along<row_bytes>(row, chunk) * 16;
    }

    static ASNI_DEVICE SharedAddress across(SharedAddress tile, int row, int chunk) {
        return tile + place_across<T, row_bytes / int(sizeof(T)), extent>(row, chunk);
    }

    static ASNI_DEVICE uint32_t word(SharedAddress tile, int k, int column) {
        return round_to_tf32(load_shared32(across(tile, k, column / 4) + column % 4 * 4));
    }

    static ASNI_DEVICE void load_a(uint32_t (&a)[4], SharedAddress tile, int first_row, int step) {
        int lane = int(threadIdx.x) % 32;
        if constexpr (along_inner) {
            ldmatrix_x4(a, along(tile, first_row + lane % 16, step * 2 + lane / 16));
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_x4_transposed(a, across(tile, step * 16 + lane / 16 * 8 + lane % 8, first_row / 8 + lane / 8 % 2));
            return;
        } else {
            int k = step * 8 + lane % 4, row = first_row + lane / 4;
            a[0] = word(tile, k, row);
            a[1] = word(tile, k, row + 8);
            a[2] = word(tile, k + 4, row);
            a[3] = word(tile, k + 4, row + 8);
            return;
        }
        if constexpr (sizeof(T) == 4) {
            ASNI_UNROLL
            for (int i = 0; i < 4; i++) a[i] = round_to_tf32(a[i]);
        }
    }

    static ASNI_DEVICE void load_b(uint32_t (&first)[2], uint32_t (&second)[2], SharedAddress tile, int first_column, int step) {
        int lane = int(threadIdx.x) % 32;
        uint32_t b[4];
        if constexpr (along_inner) {
            ldmatrix_x4(b, along(tile, first_column + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
            if constexpr (sizeof(T) == 4) {
                ASNI_UNROLL
                for (int i = 0; i < 4; i++) b[i] = round_to_tf32(b[i]);
            }
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_x4_transposed(b, across(tile, step * 16 + lane % 16, first_column / 8 + lane / 16));
        } else {
            int k = step * 8 + lane % 4, column = first_column + lane / 4;
            b[0] = word(tile, k, column);
            b[1] = word(tile, k + 4, column);
            b[2] = word(tile, k, column + 8);
            b[3] = word(tile, k + 4, column + 8);
        }
        first[0] = b[0];
        first[1] = b[1];
        second[0] = b[2];
        second[1] = b[3];
    }
};

ASNI_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float) { mma_tf32(d, a, b); }
ASNI_DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], bf16) { mma_bf16(d, a, b); }

template <class Math>
ASNI_DEVICE void store_pairs(Math& math, float* staging) {
    math.pairs([&](int row, int column, float first, float second) __attribute__((always_inline)) {
        *reinterpret_cast<float2*>(staging + row * Math::staging_pitch + column) = make_float2(first, second);
    });
}

// m_ x n_ sums by warps_m x warps_n warps. T = float computes in tf32.
template <class T, int m_, int n_, int row_bytes, int warps_m, int warps_n, bool a_inner, bool b_inner>
struct MmaTile {
    using Element = T;
    static constexpr int chunks_together = 2;
    static constexpr bool lags = false;
    static constexpr int m = m_, n = n_, stage_row_bytes = row_bytes, inner = row_bytes / int(sizeof(T));
    static constexpr int threads = warps_m * warps_n * 32, staging_pitch = n + 8;
    static constexpr int rows = m / warps_m / 16, columns = n / warps_n / 8;
    static_assert(m % (warps_m * 16) == 0 && n % (warps_n * 16) == 0, "a warp's part is made of 16x16 pieces");

    float sums[rows][columns][4];

    ASNI_DEVICE MmaTile() {
        ASNI_UNROLL
        for (int i = 0; i < rows; i++) {
            ASNI_UNROLL
            for (int j = 0; j < columns; j++) sums[i][j][0] = sums[i][j][1] = sums[i][j][2] = sums[i][j][3] = 0;
        }
    }

    static ASNI_DEVICE int first_row() { return int(threadIdx.x) / 32 / warps_n * (m / warps_m); }
    static ASNI_DEVICE int first_column() { return int(threadIdx.x) / 32 % warps_n * (n / warps_n); }

    ASNI_DEVICE void add(unsigned char* a, unsigned char* b) {
        SharedAddress at = SharedAddress::of(a), bt = SharedAddress::of(b);
        ASNI_UNROLL
        for (int step = 0; step < row_bytes / 32; step++) {
            uint32_t fa[rows][4], fb[columns][2];
            ASNI_UNROLL
            for (int i = 0; i < rows; i++) Fragments<T, m, row_bytes, a_inner>::load_a(fa[i], at, first_row() + i * 16, step);
            ASNI_UNROLL
            for (int j = 0; j < columns; j += 2) Fragments<T, n, row_bytes, b_inner>::load_b(fb[j], fb[j + 1], bt, first_column() + j * 8, step);
            ASNI_UNROLL
            for (int i = 0; i < rows; i++) {
                ASNI_UNROLL
                for (int j = 0; j < columns; j++) mma(sums[i][j], fa[i], fb[j], T{});
            }
        }
    }

    // f(row, column, sum, sum of the next column) for all pairs that the thread has.
    template <class F>
    ASNI_DEVICE void pairs(F f) const {
        int lane = int(threadIdx.x) % 32, row = first_row() + lane / 4, column = first_column() + lane % 4 * 2;
        ASNI_UNROLL
        for (int i = 0; i < rows; i++) {
            ASNI_UNROLL
            for (int j = 0; j < columns; j++) {
                f(row + i * 16, column + j * 8, sums[i][j][0], sums[i][j][1]);
                f(row + i * 16 + 8, column + j * 8, sums[i][j][2], sums[i][j][3]);
            }
        }
    }

    ASNI_DEVICE void store(float* staging) const { store_pairs(*this, staging); }
};

// m_ x n_ sums by groups_m x groups_n warpgroups, in bf16. Stages hold 64 inner indices.
template <int m_, int n_, int groups_m, int groups_n, bool a_inner, bool b_inner>
struct WarpgroupTile {
    using Element = bf16;
    static constexpr int chunks_together = 4;
    static constexpr bool lags = true;
    static constexpr int m = m_, n = n_, stage_row_bytes = 128, inner = 64, threads = groups_m * groups_n * 128, staging_pitch = n + 8;
    static constexpr int parts = m / groups_m / 64, columns = n / groups_n;  // a warpgroup has parts products of 64 rows
    static_assert(m % (groups_m * 64) == 0, "a product has 64 rows");

    WarpgroupProducts products;
    float sums[parts][columns / 2];

    ASNI_DEVICE WarpgroupTile() {
        ASNI_UNROLL
        for (int i = 0; i < parts; i++) {
            ASNI_UNROLL
            for (int j = 0; j < columns / 2; j++) sums[i][j] = 0;
        }
    }

    static ASNI_DEVICE int first_row() { return int(threadIdx.x) / 128 / groups_n * (m / groups_m); }
    static ASNI_DEVICE int first_column() { return int(threadIdx.x) / 128 % groups_n * columns; }

    // The part of an operand from one of its rows (a multiple of 64 unless K-major) and an inner index (a multiple of 16) on.
    template <bool along_inner>
    static ASNI_DEVICE SharedMatrix matrix(SharedAddress tile, int row, int k) {
        return along_inner ? SharedMatrix(tile + row * 128 + k * 2, 0, 1024)
                           : SharedMatrix(tile + row / 64 * (inner * 128) + k * 128, inner * 128, 1024);
    }

    ASNI_DEVICE void add(unsigned char* a, unsigned char* b) {
        SharedAddress at = SharedAddress::of(a), bt = SharedAddress::of(b);
        products.begin();
        ASNI_UNROLL
        for (int k = 0; k < inner; k += 16) {
            ASNI_UNROLL
            for (int i = 0; i < parts; i++) {
                products.multiply<columns, a_inner, b_inner>(sums[i], matrix<a_inner>(at, first_row() + i * 64, k),
                    matrix<b_inner>(bt, first_column(), k));
            }
        }
        products.commit();
    }

    template <int pending>
    ASNI_DEVICE void settle() {
        products.wait<pending>();
    }

    template <class F>
    ASNI_DEVICE void pairs(F f) {
        int lane = int(threadIdx.x) % 32, row = first_row() + int(threadIdx.x) / 32 % 4 * 16 + lane / 4, column = first_column() + lane % 4 * 2;
        ASNI_UNROLL
        for (int i = 0; i < parts; i++) {
            products.settled(sums[i]);
            ASNI_UNROLL
            for (int j = 0; j < columns / 8; j++) {
                f(row + i * 64, column + j * 8, sums[i][j * 4], sums[i][j * 4 + 1]);
                f(row + i * 64 + 8, column + j * 8, sums[i][j * 4 + 2], sums[i][j * 4 + 3]);
            }
        }
    }

    ASNI_DEVICE void store(float* staging) { store_pairs(*this, staging); }
};

}  // namespace asni

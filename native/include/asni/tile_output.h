// How a tile's sums get to memory: through shared memory, whole chunks where the rows of the result allow them. bf16 results that nothing is added
// to go there as bf16; fp32 results, partial sums and additions as fp32.
#pragma once

namespace asni {

// What happens to a sum on its way to memory.
struct Epilogue {
    const float* bias;  // of the group's first column, or null
    int activation;
    bool accumulate;

    // Nothing happens to it.
    ASNI_DEVICE bool plain() const { return bias == nullptr && activation == activation_none; }

    ASNI_DEVICE float finished(float sum, int column) const {
        if (bias != nullptr) sum += bias[column];
        return activate(sum, activation);
    }
};

template <int width>
ASNI_DEVICE void load_floats(float (&values)[width], const float* from) {
    ASNI_UNROLL
    for (int e = 0; e < width; e += 4) *reinterpret_cast<float4*>(values + e) = *reinterpret_cast<const float4*>(from + e);
}

ASNI_DEVICE void store_chunk(float* to, const float (&values)[4]) {
    *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
}

ASNI_DEVICE void store_chunk(bf16* to, const float (&values)[8]) {
    *reinterpret_cast<uint4*>(to) = make_uint4(pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]), pack_bf16(values[4], values[5]),
        pack_bf16(values[6], values[7]));
}

// Writes the staged tile, whole chunks where the rows of the result allow them. What is added to is read for several chunks before the first is
// written: one at a time, every chunk would wait for memory.
template <class Math, class Result, class Pass>
ASNI_DEVICE void write_tile(const Pass& pass, const float* staging, const Epilogue& epilogue, Result* y) {
    constexpr int width = Chunk<Result>::count, chunks = Math::n / width, together = Math::chunks_together;
    static_assert(Math::m * chunks % (together * Math::threads) == 0, "a thread has whole rounds of chunks");
    const Product& product = pass.product;
    bool whole = product.columns % width == 0;
    for (int round = 0; round < Math::m * chunks; round += together * Math::threads) {
        Result* to[together];
        int count[together];  // elements of the chunk that lie inside
        Chunk<Result> old[together];
        ASNI_UNROLL
        for (int part = 0; part < together; part++) {
            int i = round + part * Math::threads + int(threadIdx.x), row = i / chunks, column = i % chunks * width;
            count[part] = product.first_row + row < product.rows ? min(width, product.columns - product.first_column - column) : 0;
            to[part] = y + pass.place(product.first_row + row) + product.first_column + column;
            if (epilogue.accumulate && whole && count[part] > 0) old[part].bits = *reinterpret_cast<const uint4*>(to[part]);
        }
        ASNI_UNROLL
        for (int part = 0; part < together; part++) {
            if (count[part] <= 0) continue;
            int i = round + part * Math::threads + int(threadIdx.x), column = i % chunks * width;
            float values[width];
            load_floats(values, staging + i / chunks * Math::staging_pitch + column);
            if (!epilogue.plain()) {
                ASNI_UNROLL
                for (int e = 0; e < width; e++) {
                    if (e < count[part]) values[e] = epilogue.finished(values[e], product.first_column + column + e);
                }
            }
            if (whole) {
                if (epilogue.accumulate) {
                    ASNI_UNROLL
                    for (int e = 0; e < width; e++) values[e] += Storage<Result>::load(old[part].elements + e);
                }
                store_chunk(to[part], values);
                continue;
            }
            ASNI_UNROLL
            for (int e = 0; e < width; e++) {
                if (e < count[part]) Storage<Result>::store(to[part] + e, epilogue.accumulate ? values[e] + Storage<Result>::load(to[part] + e) : values[e]);
            }
        }
    }
}

// Of each column of the staged tile, the sum of what write_tile stores as fp32 and the squared deviations from its mean in the tile.
template <class Math>
ASNI_DEVICE void write_statistics(const Product& product, const float* staging, const Epilogue& epilogue, float* sums, int pitch) {
    constexpr int lanes = Math::threads / Math::n;
    static_assert(Math::threads % Math::n == 0, "every column needs a thread");
    ASNI_SHARED(float, shared, 2 * Math::threads);
    int at = int(threadIdx.x) % Math::n, lane = int(threadIdx.x) / Math::n, column = product.first_column + at;
    int rows = min(Math::m, product.rows - product.first_row);
    bool inside = column < product.columns;
    auto value = [&](int row) __attribute__((always_inline)) {
        return epilogue.finished(staging[row * Math::staging_pitch + at], column);
    };
    auto total = [&](const float* of_lanes) __attribute__((always_inline)) {
        float sum = 0;
        ASNI_UNROLL
        for (int i = 0; i < lanes; i++) sum += of_lanes[i * Math::n + at];
        return sum;
    };
    float sum = 0, squares = 0;
    if (inside) {
        for (int row = lane; row < rows; row += lanes) sum += value(row);
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    sum = total(shared);
    float mean = sum / float(rows);
    if (inside) {
        for (int row = lane; row < rows; row += lanes) {
            float d = value(row) - mean;
            squares = fmaf(d, d, squares);
        }
    }
    shared[Math::threads + threadIdx.x] = squares;
    __syncthreads();
    if (lane != 0 || !inside) return;
    sums[column] = sum;
    sums[pitch + column] = total(shared + Math::threads);
}

// A tile on its way to memory as bf16: rows with 16 bytes between them, so that neither the pairs that go in nor the chunks that come out meet
// bank conflicts.
template <class Math>
constexpr int packed_pitch = Math::n * 2 + 16;

template <class Math, class Pass>
ASNI_DEVICE void write_packed(const Pass& pass, const unsigned char* staging, bf16* y) {
    constexpr int chunks = Math::n / 8;
    const Product& product = pass.product;
    bool whole = product.columns % 8 == 0;
    static_assert(Math::m * chunks % (4 * Math::threads) == 0, "a thread has whole rounds of four chunks");
    for (int round = 0; round < Math::m * chunks; round += 4 * Math::threads) {
        ASNI_UNROLL
        for (int part = 0; part < 4; part++) {
            int i = round + part * Math::threads + int(threadIdx.x);
            int row = i / chunks, column = i % chunks * 8, count = min(8, product.columns - product.first_column - column);
            if (product.first_row + row >= product.rows || count <= 0) continue;
            const unsigned char* from = staging + row * packed_pitch<Math> + column * 2;
            bf16* to = y + pass.place(product.first_row + row) + product.first_column + column;
            if (whole) copy_chunk(to, from);
            else for (int e = 0; e < count; e++) to[e] = reinterpret_cast<const bf16*>(from)[e];
        }
    }
}

// Of each column of the packed tile, the sum and the squared deviations from the mean, about the tile's first row: being one of them, it is so
// near that at most a factor of the number of rows is lost in accuracy. A thread has two columns and every lanes-th row.
template <class Math>
ASNI_DEVICE void write_packed_statistics(const Product& product, const unsigned char* staging, float* shared, float* sums, int pitch) {
    constexpr int lanes = Math::threads / (Math::n / 2);
    static_assert(Math::threads % (Math::n / 2) == 0, "every pair of columns needs a thread");
    int at = int(threadIdx.x) % (Math::n / 2), lane = int(threadIdx.x) / (Math::n / 2), rows = min(Math::m, product.rows - product.first_row);
    const unsigned char* from = staging + at * 4;
    uint32_t pivots = *reinterpret_cast<const uint32_t*>(from);
    float pivot[2] = {first_of_bf16(pivots), second_of_bf16(pivots)}, sum[2] = {}, squares[2] = {};
    for (int row = lane; row < rows; row += lanes) {
        uint32_t pair = *reinterpret_cast<const uint32_t*>(from + row * packed_pitch<Math>);
        float d[2] = {first_of_bf16(pair) - pivot[0], second_of_bf16(pair) - pivot[1]};
        ASNI_UNROLL
        for (int e = 0; e < 2; e++) {
            sum[e] += d[e];
            squares[e] = fmaf(d[e], d[e], squares[e]);
        }
    }
    float4* shared_sums = reinterpret_cast<float4*>(shared);
    shared_sums[threadIdx.x] = make_float4(sum[0], sum[1], squares[0], squares[1]);
    __syncthreads();
    if (lane != 0) return;
    ASNI_UNROLL
    for (int i = 1; i < lanes; i++) {
        float4 other = shared_sums[threadIdx.x + i * (Math::n / 2)];
        sum[0] += other.x, sum[1] += other.y, squares[0] += other.z, squares[1] += other.w;
    }
    ASNI_UNROLL
    for (int e = 0; e < 2; e++) {
        int column = product.first_column + at * 2 + e;
        if (column >= product.columns) continue;
        sums[column] = sum[e] + float(rows) * pivot[e];
        sums[pitch + column] = squares[e] - sum[e] * sum[e] / float(rows);
    }
}

// Finishes the sums in registers and writes them as bf16, with the statistics of the tile's columns where they are asked for.
template <class Math, class Pass>
ASNI_DEVICE void output_packed(Math& math, const Pass& pass, unsigned char* shared, const Epilogue& epilogue, bf16* y, float* statistics) {
    const Product& product = pass.product;
    auto pack = [&](int row, int column, float first, float second) __attribute__((always_inline)) {
        *reinterpret_cast<uint32_t*>(shared + row * packed_pitch<Math> + column * 2) = pack_bf16(first, second);
    };
    if (epilogue.plain()) {
        math.pairs(pack);
    } else {
        int columns = product.columns - product.first_column;
        math.pairs([&](int row, int column, float first, float second) __attribute__((always_inline)) {
            int last = columns - 1;
            pack(row, column, epilogue.finished(first, product.first_column + min(column, last)),
                epilogue.finished(second, product.first_column + min(column + 1, last)));
        });
    }
    __syncthreads();
    write_packed<Math>(pass, shared, y);
    if constexpr (Pass::leaves_statistics) {
        if (statistics == nullptr) return;
        static_assert(Math::m * packed_pitch<Math> + Math::threads * 16 <= Math::m * Math::staging_pitch * 4, "the sums lie behind the packed tile");
        float* sums = reinterpret_cast<float*>(shared + Math::m * packed_pitch<Math>);
        write_packed_statistics<Math>(product, shared, sums, statistics, pass.pitch);
    }
}

}  // namespace asni

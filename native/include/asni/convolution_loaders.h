// The loaders that bring the operand tiles of the implicit matrix products to shared memory, 16 bytes (a chunk) at a time.
// A tile is either K-major (a row for each of the product's rows or columns, filled along the inner dimension) or not (a row for each inner index).
// Chunks are stored permuted (swizzle) so that neither these stores nor the reads of tile_math.h meet bank conflicts; a K-major tile with rows of
// 128 bytes, and one of bf16 that is not K-major, lie as Hopper's wgmma reads them.
// load() brings the present tile and advance() goes on to the next one along the inner dimension. Aligned loaders copy whole
// chunks and need channel counts to match; the others gather element by element.
#pragma once

namespace asni {

// Chunk numbers of a K-major tile whose rows have 64 or 128 bytes: any 8 successive rows show the same chunk in 8 different bank groups.
template <int row_bytes>
ASNI_DEVICE int swizzle_along(int row, int chunk) {
    static_assert(row_bytes == 64 || row_bytes == 128, "a K-major tile has rows of 64 or 128 bytes");
    return row_bytes == 64 ? chunk ^ (row >> 1 & 3) : chunk ^ (row & 7);
}

// Where a chunk stands, in bytes, in a tile of inner rows of extent columns that is not K-major. bf16: panels of 64 columns, in each a row of 128
// bytes for an inner index, any 8 successive ones in different bank groups (read by ldmatrix.trans); fp32: whole rows, 4 by two chunks (read as words).
template <class T, int inner, int extent>
ASNI_DEVICE int place_across(int row, int chunk) {
    static_assert(sizeof(T) == 4 || extent % 64 == 0, "a tile of bf16 is made of panels");
    return sizeof(T) == 2 ? chunk / 8 * (inner * 128) + row * 128 + (chunk % 8 ^ (row & 7)) * 16
                          : row * (extent * 4) + (chunk ^ ((row & 3) << 1)) * 16;
}

// The threads of a block laid over the chunks of a tile: each has one column of chunks and every step-th row.
template <class T, int rows, int row_bytes, int threads>
struct Lattice {
    static constexpr int chunks = row_bytes / 16, step = threads / chunks, count = rows / step, width = Chunk<T>::count;
    static_assert(threads % chunks == 0 && rows % step == 0, "the threads must cover the tile in whole rows");
    static ASNI_DEVICE int row() { return int(threadIdx.x) / chunks; }
    static ASNI_DEVICE int column() { return int(threadIdx.x) % chunks; }

    // Where the i-th of the thread's chunks stands in a tile that is K-major (along) or not (across).
    static ASNI_DEVICE int place_along(int i) {
        return (row() + i * step) * row_bytes + swizzle_along<row_bytes>(row() + i * step, column()) * 16;
    }
    static ASNI_DEVICE int place_across(int i) {
        return asni::place_across<T, rows, row_bytes / int(sizeof(T))>(row() + i * step, column());
    }
};

// A chunk put together element by element: asynchronously where elements have 4 bytes, which is the least that a copy can have, else in registers.
template <class T>
struct Gather {
    unsigned char* to;
    const T* any;  // an address that may be named where nothing is read
    Chunk<T> chunk;

    ASNI_DEVICE void element(int e, const T* from, bool valid, AsyncCopies& copies) {
        if constexpr (sizeof(T) == 4) {
            copies.copy4(SharedAddress::of(to) + e * 4, valid ? from : any, valid);
        } else {
            chunk.elements[e] = T{};
            if (valid) chunk.elements[e] = *from;
        }
    }

    ASNI_DEVICE void done() {
        if constexpr (sizeof(T) != 4) *reinterpret_cast<uint4*>(to) = chunk.bits;
    }
};

// K-major tile of activations: row m is an output pixel of the product, the inner index a tap and a channel.
// direction +1: forward, the tap (i, j) meets pixel (h0 + i, w0 + j); -1: data gradient, (h0 - i, w0 - j).
// Images have fewer than 2^14 rows and columns and a tensor fewer than 2^31 elements, so that a row of the tile costs two registers.
template <class T, int rows, int row_bytes, int threads, int direction, bool aligned>
struct PixelRows {
    using On = Lattice<T, rows, row_bytes, threads>;
    static constexpr int outside = -direction * (1 << 14);
    const T* x;
    int origin[On::count];  // the element at (h0, w0), which may lie outside of the image
    int corner[On::count];  // h0 and w0 in 16 bits each
    Radix radix;
    Place tap;
    int height, width, pitch, taps;

    // pixels: the pixels of an image that the product's rows run through, (z, y, x) = (image, row, column).
    ASNI_DEVICE PixelRows(const T* x, int first_row, int row_count, const Radix& pixels, int scale, int shift_h, int shift_w, int height, int width,
        int channels, int pitch, int taps_h, int taps_w, int first_k)
        : x(x), radix(channels, taps_w > 0 ? taps_w : 1, row_bytes / int(sizeof(T))), height(height), width(width), pitch(pitch),
          taps(taps_w > 0 ? taps_h : 0) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int row = first_row + On::row() + i * On::step;
            Place pixel;
            pixel.set(pixels, row < row_count ? row : 0);
            int h0 = row < row_count ? pixel.y * scale + shift_h : outside, w0 = pixel.x * scale + shift_w;
            origin[i] = row < row_count ? ((pixel.z * height + h0) * width + w0) * pitch : 0;
            corner[i] = int(unsigned(h0) << 16 | (unsigned(w0) & 0xffffu));
        }
        tap.set(radix, first_k + On::column() * On::width);
    }

    ASNI_DEVICE int offset_of(const Place& at) const { return direction * (at.z * width + at.y) * pitch + at.x; }

    ASNI_DEVICE bool inside(int i, const Place& at) const {
        int h = (corner[i] >> 16) + direction * at.z, w = int(int16_t(corner[i])) + direction * at.y;
        return at.z < taps && unsigned(h) < unsigned(height) && unsigned(w) < unsigned(width);
    }

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) const {
        int offset = offset_of(tap);
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int to = On::place_along(i);
            if constexpr (aligned) {
                bool valid = inside(i, tap);
                copies.copy16(SharedAddress::of(tile) + to, x + (valid ? origin[i] + offset : 0), valid);
            } else {
                Gather<T> gather{tile + to, x, {}};
                Place at = tap;
                ASNI_UNROLL
                for (int e = 0; e < On::width; e++) {
                    gather.element(e, x + origin[i] + offset_of(at), inside(i, at), copies);
                    at.increment(radix);
                }
                gather.done();
            }
        }
    }

    ASNI_DEVICE void advance() { tap.advance(radix); }
};

// K-major tile of a matrix whose rows lie pitch elements apart: the weights in the forward pass.
template <class T, int rows, int row_bytes, int threads, bool aligned>
struct MatrixRows {
    using On = Lattice<T, rows, row_bytes, threads>;
    const T *matrix, *row;
    int64_t pitch;
    int valid_rows, inner, k;

    ASNI_DEVICE MatrixRows(const T* matrix, int first_row, int row_count, int64_t pitch, int inner, int first_k)
        : matrix(matrix), row(matrix + (first_row + On::row()) * pitch), pitch(pitch), valid_rows(row_count - first_row - On::row()), inner(inner),
          k(first_k + On::column() * On::width) {}

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int to = On::place_along(i);
            bool valid = i * On::step < valid_rows;
            const T* from = row + i * On::step * pitch + k;
            if constexpr (aligned) {
                valid = valid && k < inner;
                copies.copy16(SharedAddress::of(tile) + to, valid ? from : matrix, valid);
            } else {
                Gather<T> gather{tile + to, matrix, {}};
                ASNI_UNROLL
                for (int e = 0; e < On::width; e++) {
                    gather.element(e, from + e, valid && k + e < inner, copies);
                }
                gather.done();
            }
        }
    }

    ASNI_DEVICE void advance() { k += row_bytes / int(sizeof(T)); }
};

// Tile of a row for each inner index and a column for each of the product's: dy in the weight gradient.
template <class T, int rows, int row_bytes, int threads, bool aligned>
struct InnerRows {
    using On = Lattice<T, rows, row_bytes, threads>;
    const T* matrix;
    int64_t pitch;
    int column, columns, k, inner;

    ASNI_DEVICE InnerRows(const T* matrix, int first_column, int columns, int64_t pitch, int first_k, int inner)
        : matrix(matrix), pitch(pitch), column(first_column + On::column() * On::width), columns(columns), k(first_k + On::row()), inner(inner) {}

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int to = On::place_across(i);
            bool valid = k + i * On::step < inner;
            const T* from = matrix + (k + i * On::step) * pitch + column;
            if constexpr (aligned) {
                valid = valid && column < columns;
                copies.copy16(SharedAddress::of(tile) + to, valid ? from : matrix, valid);
            } else {
                Gather<T> gather{tile + to, matrix, {}};
                ASNI_UNROLL
                for (int e = 0; e < On::width; e++) {
                    gather.element(e, from + e, valid && column + e < columns, copies);
                }
                gather.done();
            }
        }
    }

    ASNI_DEVICE void advance() { k += rows; }
};

// The weights in the data gradient: the inner index is a tap of the pixels' class and an output channel, the columns are input channels.
template <class T, int rows, int row_bytes, int threads, bool aligned>
struct FilterColumns {
    using On = Lattice<T, rows, row_bytes, threads>;
    const T* filter;  // of the group, at the class's first tap
    int column, columns, taps;
    int64_t output_pitch;
    int tap_row_pitch, tap_pitch;
    Radix radix;
    Place at[On::count];

    ASNI_DEVICE FilterColumns(const T* filter, int first_column, int columns, int outputs, int64_t output_pitch, int tap_row_pitch, int tap_pitch,
        int taps_h, int taps_w, int first_k)
        : filter(filter), column(first_column + On::column() * On::width), columns(columns), taps(taps_w > 0 ? taps_h : 0),
          output_pitch(output_pitch), tap_row_pitch(tap_row_pitch), tap_pitch(tap_pitch), radix(outputs, taps_w > 0 ? taps_w : 1, rows) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) at[i].set(radix, first_k + On::row() + i * On::step);
    }

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int to = On::place_across(i);
            bool valid = at[i].z < taps;
            const T* from = filter + at[i].x * output_pitch + at[i].z * tap_row_pitch + at[i].y * tap_pitch + column;
            if constexpr (aligned) {
                valid = valid && column < columns;
                copies.copy16(SharedAddress::of(tile) + to, valid ? from : filter, valid);
            } else {
                Gather<T> gather{tile + to, filter, {}};
                ASNI_UNROLL
                for (int e = 0; e < On::width; e++) {
                    gather.element(e, from + e, valid && column + e < columns, copies);
                }
                gather.done();
            }
        }
    }

    ASNI_DEVICE void advance() {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) at[i].advance(radix);
    }
};

// The same where every tile lies in one tap: the output channels are a multiple of its rows.
template <class T, int rows, int row_bytes, int threads>
struct FilterTapColumns {
    using On = Lattice<T, rows, row_bytes, threads>;
    const T* filter;
    bool inside;
    int taps, tap_row_pitch, tap_pitch;
    int64_t output_pitch;
    Radix radix;
    Place at;  // of the thread's first row

    ASNI_DEVICE FilterTapColumns(const T* filter, int first_column, int columns, int outputs, int64_t output_pitch, int tap_row_pitch, int tap_pitch,
        int taps_h, int taps_w, int first_k)
        : filter(filter + first_column + On::column() * On::width), inside(first_column + On::column() * On::width < columns),
          taps(taps_w > 0 ? taps_h : 0), tap_row_pitch(tap_row_pitch), tap_pitch(tap_pitch), output_pitch(output_pitch),
          radix(outputs, taps_w > 0 ? taps_w : 1, rows) {
        at.set(radix, first_k + On::row());
    }

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) {
        bool valid = inside && at.z < taps;
        const T* from = filter + (valid ? at.x * output_pitch + at.z * tap_row_pitch + at.y * tap_pitch : 0);
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            copies.copy16(SharedAddress::of(tile) + On::place_across(i), valid ? from : filter, valid);
            from += On::step * output_pitch;
        }
    }

    ASNI_DEVICE void advance() { at.advance(radix); }
};

// The input in the weight gradient: the inner index is an output pixel, the columns are taps and input channels.
template <class T, int rows, int row_bytes, int threads, bool aligned>
struct PixelColumns {
    using On = Lattice<T, rows, row_bytes, threads>;
    const T* x;
    int height, width, pitch, batch, taps, stride, padding;
    int64_t image_pitch;
    Radix columns;  // (tap row, tap column, channel)
    Place tap;
    Radix pixels;   // (image, output row, output column)
    Place at[On::count];

    ASNI_DEVICE PixelColumns(const T* x, const ConvolutionArgs& args, int channels, int first_column, int first_k)
        : x(x), height(args.height), width(args.width), pitch(args.channels), batch(args.batch), taps(args.filter_height), stride(args.stride),
          padding(args.padding), image_pitch(int64_t(args.height) * args.width * args.channels), columns(channels, args.filter_width, 1),
          pixels(args.out_width, args.out_height, rows) {
        tap.set(columns, first_column + On::column() * On::width);
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) at[i].set(pixels, first_k + On::row() + i * On::step);
    }

    ASNI_DEVICE bool inside(const Place& pixel, const Place& of, int& offset) const {
        int h = pixel.y * stride - padding + of.z, w = pixel.x * stride - padding + of.y;
        offset = int((unsigned(h) * unsigned(width) + unsigned(w)) * unsigned(pitch)) + of.x;
        return of.z < taps && pixel.z < batch && unsigned(h) < unsigned(height) && unsigned(w) < unsigned(width);
    }

    ASNI_DEVICE void load(unsigned char* tile, AsyncCopies& copies) {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) {
            int to = On::place_across(i), offset;
            const T* image = x + at[i].z * image_pitch;
            if constexpr (aligned) {
                bool valid = inside(at[i], tap, offset);
                copies.copy16(SharedAddress::of(tile) + to, valid ? image + offset : x, valid);
            } else {
                Gather<T> gather{tile + to, x, {}};
                Place of = tap;
                ASNI_UNROLL
                for (int e = 0; e < On::width; e++) {
                    bool valid = inside(at[i], of, offset);
                    gather.element(e, image + offset, valid, copies);
                    of.increment(columns);
                }
                gather.done();
            }
        }
    }

    ASNI_DEVICE void advance() {
        ASNI_UNROLL
        for (int i = 0; i < On::count; i++) at[i].advance(pixels);
    }
};

}  // namespace asni

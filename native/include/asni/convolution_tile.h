// A convolution pass as an implicit matrix product: one block computes one tile of the result, fed by a pipeline of asynchronous copies.
//   forward          y  (pixels x K)      = x gathered (pixels x RSC)     * w transposed (RSC x K)
//   data gradient    dx (pixels x C)      = dy gathered (pixels x taps K) * w (taps K x C), a product for each class of pixels (ClassAxis)
//   weight gradient  dw (K x RSC)         = dy transposed (K x pixels)    * x gathered (pixels x RSC)
// Grid: x = tiles of the result, columns first; y = splits of the inner dimension; z = groups (times the pixel classes).
#pragma once

#include <type_traits>

#include "asni/mma.h"
#include "asni/wgmma.h"
#include "asni/convolution.h"
#include "asni/convolution_loaders.h"
#include "asni/tile_math.h"
#include "asni/tile_output.h"

namespace asni {

// Which 64 x 64 blocks of the weights (outputs x filter elements) hold a live weight; only for a single group.
struct LiveBlocks {
    const uint32_t* bits;
    int words;  // a row of blocks

    ASNI_DEVICE bool any(int first_row, int end_row, int first_column, int end_column) const {
        for (int row = first_row / 64; row <= (end_row - 1) / 64; row++) {
            for (int column = first_column / 64; column <= (end_column - 1) / 64; column++) {
                if (load_readonly(bits + row * words + column / 32) >> column % 32 & 1) return true;
            }
        }
        return false;
    }
};

// A pass brings the operands' tiles (a, b) and places the result; live() tells whether an inner tile, or (not skips_inner) the whole block,
// meets a weight that is not pruned.
template <class Math, bool aligned>
struct ForwardPass {
    static constexpr bool skips_inner = true, leaves_statistics = true;
    using T = typename Math::Element;
    using Result = T;
    Product product;
    int group, pitch;
    PixelRows<T, Math::m, Math::stage_row_bytes, Math::threads, 1, aligned> a;
    MatrixRows<T, Math::n, Math::stage_row_bytes, Math::threads, aligned> b;

    static ASNI_DEVICE int inner(const ConvolutionArgs& args) { return args.filter_height * args.filter_width * (args.channels / args.groups); }

    ASNI_DEVICE explicit ForwardPass(const ConvolutionArgs& args)
        : product(args.batch * args.out_height * args.out_width, args.out_channels / args.groups, inner(args), Math::m, Math::n,
            Math::inner, args.splits),
          group(int(blockIdx.z)), pitch(args.out_channels),
          a(static_cast<const T*>(args.a) + group * (args.channels / args.groups), product.first_row, product.rows,
              Radix(args.out_width, args.out_height, 1), args.stride, -args.padding, -args.padding, args.height, args.width,
              args.channels / args.groups, args.channels, args.filter_height, args.filter_width, product.first_tile * Math::inner),
          b(static_cast<const T*>(args.b) + int64_t(group) * product.columns * inner(args), product.first_column, product.columns,
              inner(args), inner(args), product.first_tile * Math::inner) {}

    ASNI_DEVICE int64_t place(int row) const { return int64_t(row) * pitch + group * product.columns; }

    ASNI_DEVICE bool live(const LiveBlocks& blocks, int tile) const {
        int k = (product.first_tile + tile) * Math::inner;
        return blocks.any(product.first_column, min(product.first_column + Math::n, product.columns), k, k + 1);
    }
};

template <class Math, bool aligned>
struct DataGradientPass {
    static constexpr bool skips_inner = true, leaves_statistics = false;
    using T = typename Math::Element;
    using Result = T;
    int group, tap_h, tap_w, stride, width, filter_width;
    ClassAxis h, w;
    Product product;
    int64_t image_pitch;
    int pitch;
    PixelRows<T, Math::m, Math::stage_row_bytes, Math::threads, -1, aligned> a;
    std::conditional_t<Math::lags, FilterTapColumns<T, Math::inner, Math::n * int(sizeof(T)), Math::threads>,
        FilterColumns<T, Math::inner, Math::n * int(sizeof(T)), Math::threads, aligned>> b;

    ASNI_DEVICE explicit DataGradientPass(const ConvolutionArgs& args)
        : group(int(blockIdx.z) % args.groups), tap_h(int(blockIdx.z) / args.groups / args.stride),
          tap_w(int(blockIdx.z) / args.groups % args.stride), stride(args.stride), width(args.width), filter_width(args.filter_width),
          h(tap_h, args.height, args.filter_height, args.stride, args.padding),
          w(tap_w, args.width, args.filter_width, args.stride, args.padding),
          product(args.batch * h.count * w.count, args.channels / args.groups, h.taps * w.taps * (args.out_channels / args.groups),
              Math::m, Math::n, Math::inner, args.splits),
          image_pitch(int64_t(args.height) * args.width), pitch(args.channels),
          a(static_cast<const T*>(args.a) + group * (args.out_channels / args.groups), product.first_row, product.rows,
              Radix(max(w.count, 1), max(h.count, 1), 1), 1, h.shift, w.shift, args.out_height, args.out_width, args.out_channels / args.groups,
              args.out_channels, h.taps, w.taps, product.first_tile * Math::inner),
          b(static_cast<const T*>(args.b) + (int64_t(group) * (args.out_channels / args.groups) * args.filter_height * args.filter_width
                + tap_h * args.filter_width + tap_w) * product.columns,
              product.first_column, product.columns, args.out_channels / args.groups,
              int64_t(args.filter_height) * args.filter_width * product.columns,
              args.stride * args.filter_width * product.columns, args.stride * product.columns, h.taps, w.taps, product.first_tile * Math::inner) {}

    ASNI_DEVICE int64_t place(int row) const {
        int64_t pixel = row;
        if (stride > 1) {
            int column = row % w.count, rest = row / w.count;
            pixel = rest / h.count * image_pitch + (h.first + rest % h.count * stride) * width + w.first + column * stride;
        }
        return pixel * pitch + group * product.columns;
    }

    ASNI_DEVICE bool live(const LiveBlocks& blocks, int tile) const {
        int outputs = a.radix.nx, inner = (product.first_tile + tile) * Math::inner, output = inner % outputs, tap = inner / outputs;
        if (outputs % Math::inner != 0) return true;  // the tile has several taps
        int at = ((tap_h + tap / w.taps * stride) * filter_width + tap_w + tap % w.taps * stride) * product.columns;
        return blocks.any(output, output + 1, at + product.first_column, at + min(product.first_column + Math::n, product.columns));
    }
};

template <class Math, bool aligned>
struct WeightGradientPass {
    static constexpr bool skips_inner = false, leaves_statistics = false;
    using T = typename Math::Element;
    using Result = float;
    Product product;
    int group;
    InnerRows<T, Math::inner, Math::m * int(sizeof(T)), Math::threads, aligned> a;
    PixelColumns<T, Math::inner, Math::n * int(sizeof(T)), Math::threads, aligned> b;

    ASNI_DEVICE explicit WeightGradientPass(const ConvolutionArgs& args)
        : product(args.out_channels / args.groups, args.filter_height * args.filter_width * (args.channels / args.groups),
              args.batch * args.out_height * args.out_width, Math::m, Math::n, Math::inner, args.splits),
          group(int(blockIdx.z)),
          a(static_cast<const T*>(args.a) + group * product.rows, product.first_row, product.rows, args.out_channels,
              product.first_tile * Math::inner,
              args.batch * args.out_height * args.out_width),
          b(static_cast<const T*>(args.b) + group * (args.channels / args.groups), args, args.channels / args.groups, product.first_column,
              product.first_tile * Math::inner) {}

    ASNI_DEVICE int64_t place(int row) const { return int64_t(group * product.rows + row) * product.columns; }

    // Gradients of pruned weights mean nothing: a tile without a live weight is left as it is.
    ASNI_DEVICE bool live(const LiveBlocks& blocks, int) const {
        return blocks.any(product.first_row, min(product.first_row + Math::m, product.rows), product.first_column,
            min(product.first_column + Math::n, product.columns));
    }
};

template <template <class, bool> class Pass, class Math, int stages, bool aligned>
ASNI_DEVICE void convolution_tile(const ConvolutionArgs& args) {
    constexpr int a_bytes = Math::m * Math::inner * int(sizeof(typename Math::Element)), b_bytes = a_bytes / Math::m * Math::n;
    ASNI_DYNAMIC_SHARED(unsigned char, shared);
    Pass<Math, aligned> pass(args);
    if (pass.product.first_row >= pass.product.rows) return;

    AsyncCopies copies;
    LiveBlocks blocks{args.live, args.live_words};
    if (!Pass<Math, aligned>::skips_inner && blocks.bits != nullptr && !pass.live(blocks, 0)) return;
    int tiles = pass.product.tiles, next = 0, brought = 0;
    // Brings the next tile whose weights are not all pruned. Inlined by force: as a function it would need the loaders in memory.
    auto bring = [&]() __attribute__((always_inline)) {
        while (Pass<Math, aligned>::skips_inner && blocks.bits != nullptr && next < tiles && !pass.live(blocks, next)) {
            pass.a.advance();
            pass.b.advance();
            next++;
        }
        if (next < tiles) {
            unsigned char* to = shared + brought % stages * (a_bytes + b_bytes);
            pass.a.load(to, copies);
            pass.b.load(to + a_bytes, copies);
            pass.a.advance();
            pass.b.advance();
            next++;
            brought++;
        }
        copies.commit();
    };

    // The first rounds only fill the pipeline; in the same loop, since the loaders' code is long. Products that lag read the stage before the
    // present one while the next is brought: there is one stage less to bring ahead.
    constexpr int ahead = Math::lags ? stages - 2 : stages - 1;
    Math math;
    for (int tile = -ahead; tile < brought; tile++) {
        unsigned char* from = shared + tile % stages * (a_bytes + b_bytes);
        if (tile >= 0) {
            copies.wait<ahead - 1>();
            if constexpr (Math::lags) publish_to_warpgroup_products();
            __syncthreads();
            if constexpr (Math::lags) math.add(from, from + a_bytes);
        }
        bring();
        if (tile >= 0) {
            if constexpr (Math::lags) math.template settle<1>();
            else math.add(from, from + a_bytes);
        }
    }

    copies.wait<0>();
    if constexpr (Math::lags) math.template settle<0>();
    __syncthreads();
    using Result = typename Pass<Math, aligned>::Result;
    const float* bias = args.bias == nullptr ? nullptr : args.bias + pass.group * pass.product.columns;
    Epilogue epilogue{bias, args.activation, args.accumulate != 0};
    float* of_tile = nullptr;
    if constexpr (Pass<Math, aligned>::leaves_statistics) {
        int64_t before = int64_t(pass.product.first_row / Math::m) * 2 * pass.pitch + pass.group * pass.product.columns;
        if (args.statistics != nullptr) of_tile = args.statistics + before;
    }
    if constexpr (sizeof(Result) == 2) {
        if (args.splits == 1 && !epilogue.accumulate) {
            output_packed<Math>(math, pass, shared, epilogue, static_cast<Result*>(args.y), of_tile);
            return;
        }
    }
    float* staging = reinterpret_cast<float*>(shared);
    math.store(staging);
    __syncthreads();
    if (args.splits > 1) {
        write_tile<Math>(pass, staging, Epilogue{nullptr, activation_none, false}, args.partial + int64_t(blockIdx.y) * args.split_elements);
        return;
    }
    write_tile<Math>(pass, staging, epilogue, static_cast<Result*>(args.y));
    if constexpr (Pass<Math, aligned>::leaves_statistics && sizeof(Result) == 4) {
        if (of_tile != nullptr) write_statistics<Math>(pass.product, staging, epilogue, of_tile, pass.pitch);
    }
}

}  // namespace asni

// Numbers of the outputs of layers (filters, neurons, and the elements of vectors): sums of squares, and products of values with a factor of their output. What
// penalties on whole units are made of. Memory-bound: each reads the values once.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

struct OutputArgs {
    Arena arena;
    const Chunk* outputs;  // the first element of each
    double* sums;          // by output
    const float* factors;  // by output
    float* y;              // the values or the gradients
    float b;
    int count;  // of outputs
};

// Of the warp's output: its first element in the arena, and how many there are. False: there is none.
ASNI_DEVICE bool find_output(const OutputArgs& args, int& output, int64_t& first, int& elements) {
    output = int(blockIdx.x) * chunk_warps + int(threadIdx.x) / warp_size;
    if (output >= args.count) return false;
    Chunk chunk = args.outputs[output];
    const Segment& segment = args.arena.segments[chunk.segment];
    first = segment.offset + chunk.first;
    elements = segment.inputs * segment.positions;
    return true;
}

ASNI_KERNEL(output_squares, OutputArgs, chunk_threads) {
    int output, elements;
    int64_t first;
    if (!find_output(args, output, first, elements)) return;
    double sum = 0;
    for (int i = int(threadIdx.x) % warp_size; i < elements; i += warp_size) {
        float w = args.arena.values[first + i];
        sum += w * w;
    }
    sum = warp_sum(sum);
    if (threadIdx.x % warp_size == 0) args.sums[output] = sum;
}

// y = f w + b y; pruned elements stay.
ASNI_KERNEL(combine_outputs, OutputArgs, chunk_threads) {
    int output, elements;
    int64_t first;
    if (!find_output(args, output, first, elements)) return;
    float factor = args.factors[output];
    for (int i = int(threadIdx.x) % warp_size; i < elements; i += warp_size) {
        int64_t at = first + i;
        if (!lives(args.arena, at)) continue;
        float result = factor * args.arena.values[at];
        if (args.b != 0) result = fmaf(args.b, args.y[at], result);
        if (args.y == args.arena.values) set_value(args.arena, at, result);
        else args.y[at] = result;
    }
}

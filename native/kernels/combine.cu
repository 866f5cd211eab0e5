// y = a f(x, w) + b y over the elements of many tensors, between slots that lie as the values w do: scores, sums of gradients, steps along a direction.
// Memory-bound; pruned elements of y become +0.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

// As ElementFunction has them.
enum { element_identity, element_absolute, element_square, element_product, element_absolute_product, element_squared_product, element_insensitive };

struct SlotArgs {
    Arena arena;
    const Chunk* chunks;
    const float* x;
    float* y;  // may be x, or the values
    float a, b;
    int function;
    int dense;  // pruned elements as live ones
};

ASNI_DEVICE float element(int function, float w, float x) {
    if (function == element_insensitive) {
        float rest = 1.0f - fabsf(x);
        return w * (rest <= 0.0f ? 0.0f : rest);  // NaN stays
    }
    if (function >= element_product) x = w * x;
    if (function == element_absolute || function == element_absolute_product) return fabsf(x);
    return function == element_square || function == element_squared_product ? x * x : x;
}

ASNI_KERNEL(combine, SlotArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        float result = 0;
        if (args.dense || lives(arena, at)) {
            float f = element(args.function, arena.values[at], args.x[at]);
            result = args.b == 0 ? args.a * f : fmaf(args.a, f, args.b * args.y[at]);
        }
        if (args.y == arena.values) set_value(arena, at, result);
        else args.y[at] = result;
    }
}

// One launch for all tensors: the optimizers, and what keeps pruned elements at 0. Memory-bound: value and states are read and written,
// the gradient is read; pruned elements and their state are neither read nor written.
#include "asni/cuda.h"
#include "asni/parameters.h"

using namespace asni;

enum { update_plain, update_momentum, update_nesterov, update_adam };

// Read from memory, so that a recorded step can be replayed with other numbers.
struct UpdateRule {
    float step, weight_decay, momentum, beta1, beta2, rest1, rest2, correction, epsilon;
    int kind, decay_vectors;
};

struct UpdateArgs {
    Arena arena;
    const Chunk* chunks;
    const UpdateRule* rule;
};

ASNI_DEVICE float updated(const UpdateRule& rule, float w, float g, float* state0, float* state1) {
    if (rule.kind == update_plain) return fmaf(rule.step, g, w);
    if (rule.kind != update_adam) {
        float m = fmaf(rule.momentum, *state0, g);
        *state0 = m;
        return fmaf(rule.step, rule.kind == update_nesterov ? fmaf(rule.momentum, m, g) : m, w);
    }
    float m = fmaf(rule.beta1, *state0, rule.rest1 * g), v = fmaf(rule.beta2, *state1, rule.rest2 * g * g);
    *state0 = m;
    *state1 = v;
    return fmaf(rule.step, m / fmaf(sqrtf(v), rule.correction, rule.epsilon), w);
}

ASNI_KERNEL(update, UpdateArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    float decay = segment.decays || args.rule->decay_vectors ? args.rule->weight_decay : 0.0f;
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        if (!lives(arena, at)) continue;
        float w = arena.values[at];
        set_value(arena, at, updated(*args.rule, w, fmaf(decay, w, arena.gradients[at]), arena.state0 + at, arena.state1 + at));
    }
}

struct ChunksArgs {
    Arena arena;
    const Chunk* chunks;
};

// After values or masks came from the host: pruned elements and their state become 0, and the copies follow.
ASNI_KERNEL(apply_masks, ChunksArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        if (lives(arena, at)) set_value(arena, at, arena.values[at]);
        else {
            set_value(arena, at, 0);
            arena.state0[at] = arena.state1[at] = 0;
        }
    }
}

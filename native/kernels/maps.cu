// v = f(w, s): what a network computes with in place of its weights w, where each may have a gate s that is trained too; and from the gradient of v those of w and s.
// Memory-bound. Functions and their numbers are those of MapFunction and ElementMap.
#include "asni/cuda.h"
#include "asni/parameters.h"
#include "asni/math.h"

using namespace asni;

enum { map_soft_threshold, map_signed_power, map_sigmoid_gate, map_linear_gate, map_hard_concrete, map_gaussian_noise, map_noise_threshold };

struct MapArgs {
    Arena arena;
    const Chunk* chunks;
    float* master;         // w
    const float* gates;    // null where the function has none, as those below
    const float* noise;
    float* gate_gradients;
    const float* own;      // by segment
    float a, b, penalty, noise_factor;
    int function;
};

struct Element {
    float w, s, x, own;
};

struct Gradients {
    float w, s;
};

ASNI_DEVICE float sigmoid(float y) { return 1.0f / (1.0f + expf(-y)); }

// Of the logistic function where it is p.
ASNI_DEVICE float slope(float p) { return p * (1.0f - p); }

ASNI_DEVICE float sign_of(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f; }

// |w|^(a - 1), in which 0^0 is 1.
ASNI_DEVICE float power_factor(const MapArgs& args, float w) {
    if (args.a == 1.0f) return 1.0f;
    return w == 0.0f ? 0.0f : expf((args.a - 1.0f) * logf(fabsf(w)));
}

// The hard concrete gate before it is limited to 0 .. 1.
ASNI_DEVICE float stretched(float p) { return fmaf(1.2f, p, -0.1f); }

ASNI_DEVICE float limited(float z) { return z < 0.0f ? 0.0f : z > 1.0f ? 1.0f : z; }

ASNI_DEVICE float log_alpha(const Element& e) { return e.s - logf(fmaf(e.w, e.w, 1e-8f)); }

ASNI_DEVICE float mapped(const MapArgs& args, const Element& e) {
    switch (args.function) {
        case map_soft_threshold: {
            float rest = fabsf(e.w) - e.own;
            return sign_of(e.w) * (rest <= 0.0f ? 0.0f : rest);  // NaN stays
        }
        case map_signed_power: return e.w * power_factor(args, e.w);
        case map_sigmoid_gate: return args.b * sigmoid(args.a * e.s) * e.w;
        case map_linear_gate: return e.w * e.s;
        case map_hard_concrete: return e.w * limited(stretched(sigmoid((e.x + e.s) / args.a)));
        case map_gaussian_noise: return fmaf(expf(0.5f * e.s), e.x, e.w);
        default: return log_alpha(e) > args.a ? 0.0f : e.w;
    }
}

ASNI_DEVICE Gradients hard_concrete_gradients(const MapArgs& args, const Element& e, float d) {
    float p = sigmoid((e.x + e.s) / args.a), z = stretched(p);
    float inner = z > 0.0f && z < 1.0f ? 1.2f * slope(p) / args.a : 0.0f;
    return Gradients{d * limited(z), fmaf(d * e.w, inner, args.penalty * slope(sigmoid(e.s - args.b)))};
}

ASNI_DEVICE Gradients gaussian_noise_gradients(const MapArgs& args, const Element& e, float d) {
    const float k1 = 0.63576f, k2 = 1.8732f, k3 = 1.48695f, most = 8.0f;
    float alpha = log_alpha(e), kl = 0;
    // KL = k1 (1 - P(k2 + k3 log alpha)) + log(1 + exp(-log alpha)) / 2.
    if (fabsf(alpha) < most) kl = args.penalty * fmaf(-k1 * k3, slope(sigmoid(fmaf(k3, alpha, k2))), -0.5f * sigmoid(-alpha));
    return Gradients{d - kl * ((e.w + e.w) / fmaf(e.w, e.w, 1e-8f)), fmaf(0.5f * d, expf(0.5f * e.s) * e.x, kl)};
}

ASNI_DEVICE Gradients map_derivatives(const MapArgs& args, const Element& e, float d) {
    switch (args.function) {
        case map_soft_threshold: {
            float dw = fabsf(e.w) > e.own ? d : 0.0f;
            return Gradients{dw, sign_of(e.w) * dw};
        }
        case map_signed_power: return Gradients{args.a * power_factor(args, e.w) * d, 0.0f};
        case map_sigmoid_gate: {
            float p = sigmoid(args.a * e.s), scaled = args.b * d;
            return Gradients{scaled * p, args.a * slope(p) * fmaf(scaled, e.w, args.penalty)};
        }
        case map_linear_gate: return Gradients{d * e.s, fmaf(d, e.w, args.penalty * sign_of(e.s))};
        case map_hard_concrete: return hard_concrete_gradients(args, e, d);
        default: return gaussian_noise_gradients(args, e, d);
    }
}

ASNI_DEVICE Element load_element(const MapArgs& args, const Chunk& chunk, int64_t at, float w) {
    return Element{w, args.gates != nullptr ? args.gates[at] : 0.0f, args.noise != nullptr ? args.noise_factor * args.noise[at] : 0.0f,
                   args.own != nullptr ? args.own[chunk.segment] : 0.0f};
}

ASNI_KERNEL(map_values, MapArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        float w = arena.values[at];
        args.master[at] = w;
        set_value(arena, at, lives(arena, at) ? mapped(args, load_element(args, chunk, at, w)) : 0.0f);
    }
}

ASNI_KERNEL(map_gradients, MapArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        float w = args.master[at];
        Gradients gradients = map_derivatives(args, load_element(args, chunk, at, w), arena.gradients[at]);
        set_value(arena, at, w);
        arena.gradients[at] = gradients.w;
        if (args.gate_gradients != nullptr) args.gate_gradients[at] = gradients.s;
    }
}

struct GroupArgs {
    Arena arena;
    const Chunk* chunks;
    const float* numbers;  // that rank
    int is_signed;         // 0: by magnitude
    float* gates;
    int fan_in, positions;  // input j is channel j / positions of the filter, at position j % positions
    int of, keep;
};

ASNI_DEVICE float group_rank(const GroupArgs& args, int64_t at) { return args.is_signed ? args.numbers[at] : fabsf(args.numbers[at]); }

// Channels lie side by side, and a group never reaches from one filter, or from one place of a kernel, into the next.
ASNI_KERNEL(mark_groups, GroupArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    int channels = args.fan_in / args.positions;
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        int place = int(i % args.fan_in), input = place % channels * args.positions + place / channels;
        int first = input - input % args.of, better = 0;
        float own = group_rank(args, at);
        for (int j = first; j < first + args.of; j++) {
            int64_t other = at - place + j % args.positions * channels + j / args.positions;
            float rank = group_rank(args, other);
            if (lives(arena, other) && (rank > own || (rank == own && j < input))) better++;
        }
        args.gates[at] = lives(arena, at) && better < args.keep ? 1.0f : 0.0f;
    }
}

struct GateArgs {
    Arena arena;
    const Chunk* chunks;
    float* gates;
    float below, above;
};

// Gates of elements with |w| between the two stay.
ASNI_KERNEL(move_gates, GateArgs, chunk_threads) {
    const Arena& arena = args.arena;
    Chunk chunk = args.chunks[blockIdx.x];
    const Segment& segment = arena.segments[chunk.segment];
    for (int64_t i = chunk.first + threadIdx.x; i < segment.count && i < chunk.first + chunk_elements; i += chunk_threads) {
        int64_t at = segment.offset + i;
        float magnitude = fabsf(arena.values[at]);
        if (magnitude <= args.below) args.gates[at] = 0.0f;
        else if (magnitude > args.above) args.gates[at] = 1.0f;
    }
}

// What lanes bring to a matrix product in the simulator, and the product itself, which is compiled apart from the kernels: there every
// access is checked, and a product has thousands that need none.
#pragma once

#include <cstdint>

namespace asni::sim {

struct Mma {
    float* d;
    const uint32_t *a, *b;
};

// d += a b of all 32 lanes' tiles, each sum in the order of k; see asni/mma.h for who holds what.
void multiply_bf16(void* const lanes[32]);
void multiply_tf32(void* const lanes[32]);

}  // namespace asni::sim

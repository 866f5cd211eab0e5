// A kernel launch, and the machine threads that run its blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "asni/simulator.h"
#include "error.h"

namespace asni::sim {

// Static and dynamic shared memory of a kernel that asks for more than the 48 KiB that every launch may have; 227 KiB, as Hopper has.
constexpr size_t max_dynamic_shared = 227 << 10;

struct Launch {
    const Kernel* kernel;
    std::vector<unsigned char> args;
    Index3 grid, block;
    unsigned dynamic_shared_bytes;
    uint64_t number = 0;  // from 1; given by run
};

const Kernel* find_kernel(const char* name);

// Runs every block and returns when the last has ended; throws the first error of a thread.
void run(Launch launch);

// Decides the order of blocks and threads and the fill patterns; launches after this repeat.
void set_seed(uint64_t seed);

// How long one launch may take.
void set_time_limit(uint64_t milliseconds);

}  // namespace asni::sim

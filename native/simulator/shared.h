// Shared memory of the block that a machine thread runs: each array in its own pages with a guard page on both sides, poisoned anew for
// every block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "asni/simulator.h"
#include "races.h"

namespace asni::sim {

class SharedMemory {
public:
    SharedMemory();
    ~SharedMemory();

    // Before a block: everything is uninitialised again. Returns its dynamic shared memory, null when it has none.
    void* begin_block(size_t dynamic_bytes, uint64_t seed);

    // The array's memory in this block; null when the block's static arrays together pass the 48 KiB that a kernel may declare.
    void* get(SharedArray& array);

    std::string describe(uintptr_t address) const;

    RaceChecker races;

private:
    struct Region {
        char* pages = nullptr;
        size_t page_bytes = 0;
        char* start = nullptr;
        size_t bytes = 0;
        const char* name = nullptr;
        uint64_t block = 0;  // the last block that used it
    };

    void place(Region& region, size_t bytes, size_t alignment, const char* name);

    // All arrays lie in one piece of address space, so that one comparison tells whether an address is shared memory.
    char* space;
    char* space_next;
    std::vector<Region> regions;
    Region dynamic;
    uint64_t block = 0, seed = 0;
    size_t static_bytes = 0;
};

}  // namespace asni::sim

// What kernels and the software twins of PTX instructions see of the simulator. A block's threads are fibers on one thread of the machine:
// one runs until it waits at a barrier or a warp operation, so code between those points needs no locks against its own block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace asni::sim {

struct Index3 { unsigned x, y, z; };

// What a running GPU thread knows of itself.
struct Thread {
    Index3 index;   // threadIdx
    unsigned lane;  // 0..31
    unsigned warp;  // of the block
    Index3 block, block_size, grid_size;
};

// Initial-exec: a thread-local read is one instruction, as a register would be.
extern thread_local const Thread* current __attribute__((tls_model("initial-exec")));

// Ends the launch with an error that names the kernel, the block and the thread.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// __syncthreads, and its forms that count or combine a predicate: returns how many threads brought a true one.
int barrier(bool predicate = false);

// Called once by the last lane to arrive; lanes[i] is what lane i brought, null for lanes outside the mask. It reads and writes the lanes' data in place.
using WarpOperation = void (*)(void* const lanes[32]);

// A warp operation: the lanes of mask meet here, each with its own data, and go on when operation has run. name is for error texts.
void warp_operation(uint32_t mask, const char* name, void* mine, WarpOperation operation);

// __syncwarp: of the warp operations the only one that orders accesses to shared memory.
void warp_barrier(uint32_t mask);

// __threadfence.
void fence();

// memcpy and memset of kernels: accesses that are checked as all others are, which GCC does not do of its own.
void* copy(void* to, const void* from, size_t bytes);
void* fill(void* to, int value, size_t bytes);

// Every lane contributes size bytes and gets the 32 contributions in lane order.
void warp_exchange(const void* mine, size_t size, void* all);

// One __shared__ array of a kernel: one object for each declaration, whose memory differs from block to block.
struct SharedArray {
    size_t bytes;
    const char* name;
    int slot = -1;
};
void* shared_memory(SharedArray& array);
void* dynamic_shared_memory();

struct Kernel {
    const char* name;
    size_t parameter_bytes;
    unsigned max_threads;
    void (*run)(const void* args);
};

// Makes a kernel known to cuModuleGetFunction; constructed before the library is used.
struct Registration {
    Registration(const Kernel& kernel);
};

}  // namespace asni::sim

// One block: its threads as fibers, scheduled on the calling machine thread.
#pragma once

#include <csetjmp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "asni/simulator.h"
#include "error.h"
#include "fiber.h"
#include "launch.h"
#include "random.h"
#include "shared.h"

namespace asni::sim {

// Runs blocks one after another on one machine thread. A fiber that is done with its GPU thread takes the next unstarted one, so that threads
// which never wait run as a plain loop on one stack.
class BlockRunner {
public:
    BlockRunner();
    ~BlockRunner();

    // Runs one block to its end; a failure is thrown.
    void run(const Launch& launch, uint64_t block_number, uint64_t seed);

    int barrier(bool predicate);
    void warp_operation(uint32_t mask, const char* name, void* mine, WarpOperation operation);
    void* shared_memory(SharedArray& array);
    void* dynamic_shared_memory() { return dynamic_shared; }
    void warp_barrier(uint32_t mask);
    void on_shared_access(uintptr_t address, size_t bytes, Access access) {
        unsigned other = thread_now;
        const char* wrong = shared.races.check(address, bytes, access, thread_now, other);
        if (__builtin_expect(wrong != nullptr, 0)) abandon_access(wrong, other, address);
    }

    // Leaves the running kernel with an error; the text is completed with kernel, block and thread.
    [[noreturn]] void abandon(CUresult code, const std::string& what);

    // What the address is in words, if it belongs to this runner's stacks or shared memory; else empty.
    std::string describe(uintptr_t address) const;

    bool in_kernel() const { return running; }

private:
    // Lanes that wait together in one warp operation.
    struct Meeting {
        uint32_t mask = 0, arrived = 0;
        const char* name = nullptr;
        WarpOperation operation = nullptr;
        void* data[32];
    };

    struct Warp {
        uint32_t present = 0, ready = 0, finished = 0, at_barrier = 0;
        std::vector<Meeting> meetings;
    };

    static void fiber_main();
    void begin(const Launch& launch, uint64_t block_number);
    bool pick_next();
    void continue_next();
    void wait();
    void release(unsigned warp, uint32_t lanes);
    void finish_thread();
    Fiber* free_fiber();
    [[noreturn]] void fail_stuck();
    [[noreturn]] void abandon_access(const char* wrong, unsigned other, uintptr_t address);
    std::string place_of(unsigned thread) const;

    Random random{0};
    const Launch* launch = nullptr;
    uint64_t launch_number = 0;
    unsigned thread_count = 0, warp_count = 0, finished_count = 0;
    Index3 block_index{};
    bool running = false;

    std::vector<Thread> threads;         // of the block, as the kernel sees them
    std::vector<Fiber*> waiting;         // by thread: its fiber while it waits, null before it starts
    std::vector<Warp> warps;
    uint32_t ready_warps = 0;
    unsigned warp_now = 0, thread_now = 0;

    unsigned barrier_arrived = 0, barrier_true = 0;
    int barrier_result = 0;

    char* stacks = nullptr;
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<Fiber*> idle_fibers;
    Fiber main_fiber;
    Fiber* fiber_now = nullptr;
    std::jmp_buf escape;
    Failure failure{CUDA_SUCCESS, ""};

    SharedMemory shared;
    void* dynamic_shared = nullptr;
};

// The runner of the calling machine thread, null outside the simulator's own threads.
extern thread_local BlockRunner* runner __attribute__((tls_model("initial-exec")));

}  // namespace asni::sim

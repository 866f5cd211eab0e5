// Fibers: stacks that are switched between by hand, because the C library's swapcontext makes a system call a switch.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__) || defined(ASNI_SIM_UCONTEXT)
#define ASNI_FIBER_UCONTEXT
#include <ucontext.h>
#endif

namespace asni::sim {

class Fiber {
public:
    static constexpr size_t stack_bytes = 128 << 10;

    // The fiber of the calling thread's own stack.
    Fiber() = default;

    // A fiber on the stack whose lowest address is given; index spreads the stacks' tops over the cache's sets.
    Fiber(char* stack, unsigned index) : stack(stack), skew((index * 320u) % 8192u) {}

    // Makes the next switch to this fiber call entry from the top of the stack; entry never returns.
    void start(void (*entry)());

    void switch_to(Fiber& next);

    bool in_guard(uintptr_t address) const { return stack != nullptr && address - uintptr_t(stack) < 4096; }

private:
    char* stack = nullptr;
    unsigned skew = 0;
#if defined(ASNI_FIBER_UCONTEXT)
    ucontext_t context;
#else
    void* stack_pointer = nullptr;
#endif
};

}  // namespace asni::sim

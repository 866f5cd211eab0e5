#include "fiber.h"

#include <cstring>

#if !defined(ASNI_FIBER_UCONTEXT)

// asni_sim_switch(void** save, void* load): keeps what the calling convention says a function keeps, and returns on the other stack.
// The floating-point control words stay as they are: no kernel changes them.
asm(R"(
    .text
    .globl asni_sim_switch
    .hidden asni_sim_switch
    .type asni_sim_switch, @function
asni_sim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size asni_sim_switch, .-asni_sim_switch
)");
extern "C" void asni_sim_switch(void** save, void* load);

#endif

namespace asni::sim {

#if defined(ASNI_FIBER_UCONTEXT)

void Fiber::start(void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = stack_bytes - skew;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
}

void Fiber::switch_to(Fiber& next) { swapcontext(&context, &next.context); }

#else

void Fiber::start(void (*entry)()) {
    // As if entry had been called from nowhere: a null return address, and the stack 8 off a multiple of 16 at its first instruction.
    void** top = reinterpret_cast<void**>(stack + stack_bytes - skew);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    stack_pointer = top;
}

void Fiber::switch_to(Fiber& next) { asni_sim_switch(&stack_pointer, next.stack_pointer); }

#endif

}  // namespace asni::sim

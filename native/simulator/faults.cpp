#include "faults.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "block.h"
#include "memory.h"

namespace asni::sim {

namespace {

constexpr int timeout_signal = SIGUSR2;
constexpr int handled_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, timeout_signal};
struct sigaction former[64];

void unblock(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void pass_on(int signal, siginfo_t* info, void* context) {
    const struct sigaction& before = former[signal];
    if ((before.sa_flags & SA_SIGINFO) != 0) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    } else {
        // The instruction faults again and meets the default.
        sigaction(signal, &before, nullptr);
    }
}

// Runs on the worker's signal stack. The fault is synchronous and in a kernel, which holds no lock, so building a text is safe.
void handle(int signal, siginfo_t* info, void* context) {
    if (runner == nullptr || !runner->in_kernel()) {
        // A timeout may come just after the kernel's end.
        if (runner == nullptr || signal != timeout_signal) pass_on(signal, info, context);
        return;
    }
    unblock(signal);
    if (signal == timeout_signal) runner->abandon(CUDA_ERROR_LAUNCH_TIMEOUT, "the kernel does not end (ASNI_SIM_TIMEOUT seconds have passed)");
    if (signal == SIGFPE) runner->abandon(CUDA_ERROR_LAUNCH_FAILED, "an integer division by zero or out of range");
    if (signal == SIGILL) runner->abandon(CUDA_ERROR_LAUNCH_FAILED, "a trap");
    // x86 gives no address for one that is not canonical, nor for a misaligned vector access.
    if (info->si_code == SI_KERNEL) {
        runner->abandon(CUDA_ERROR_ILLEGAL_ADDRESS, "an access to an address that cannot exist, or a misaligned vector access");
    }
    uintptr_t address = uintptr_t(info->si_addr);
    std::string where = runner->describe(address);
    if (where.empty()) where = "an access out of bounds: " + describe_device_address(address);
    else if (where[0] == 'b') where = "an access out of bounds: " + where;
    runner->abandon(CUDA_ERROR_ILLEGAL_ADDRESS, where);
}

}  // namespace

void install_fault_handler() {
    for (int signal : handled_signals) {
        struct sigaction action = {};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        sigaction(signal, &action, &former[signal]);
    }
}

void prepare_thread_for_faults() {
    sigset_t set;
    sigfillset(&set);
    for (int signal : handled_signals) sigdelset(&set, signal);
    pthread_sigmask(SIG_SETMASK, &set, nullptr);

    stack_t stack = {};
    stack.ss_size = 64 << 10;
    stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, nullptr);
}

void interrupt_kernel(pthread_t worker) { pthread_kill(worker, timeout_signal); }

}  // namespace asni::sim

// The handlers that code compiled with -fsanitize=alignment,bounds calls; kernels are. Their own library is not linked: these tell more.
// The layouts are the compilers' (GCC's and clang's agree).
namespace {

struct SourceLocation { const char* file; uint32_t line, column; };
struct TypeMismatch { SourceLocation location; const void* type; unsigned char log_alignment, kind; };
struct Type { uint16_t kind, info; };  // of an integer: info bit 0 says signed, the rest is log2 of its bits
struct OutOfBounds { SourceLocation location; const Type *array_type, *index_type; };

const char* short_name(const char* path) {
    const char* name = path;
    for (const char* c = path; *c != 0; c++) {
        if (*c == '/') name = c + 1;
    }
    return name;
}

std::string at(const SourceLocation& location) {
    return std::string(" (") + short_name(location.file) + ":" + std::to_string(location.line) + ")";
}

}  // namespace

#define ASNI_HANDLER extern "C" __attribute__((visibility("hidden")))

ASNI_HANDLER void __ubsan_handle_type_mismatch_v1(TypeMismatch* data, uintptr_t address) {
    using namespace asni::sim;
    std::string where = runner->describe(address);
    if (where.empty()) where = describe_device_address(address);
    if (address == 0) runner->abandon(CUDA_ERROR_ILLEGAL_ADDRESS, "an access through a null pointer" + at(data->location));
    runner->abandon(CUDA_ERROR_MISALIGNED_ADDRESS,
        "a misaligned access: " + std::to_string(1u << data->log_alignment) + " must divide the address " + where + at(data->location));
}

ASNI_HANDLER void __ubsan_handle_out_of_bounds(OutOfBounds* data, uintptr_t index) {
    using namespace asni::sim;
    // clang does not extend the index's sign.
    int unused = 64 - (1 << (data->index_type->info >> 1));
    long long value = (data->index_type->info & 1) != 0 ? (long long)(index << unused) >> unused : (long long)index;
    runner->abandon(CUDA_ERROR_ILLEGAL_ADDRESS, "index " + std::to_string(value) + " is outside its array" + at(data->location));
}

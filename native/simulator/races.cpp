#include "races.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "block.h"
#include "error.h"

namespace asni::sim {

thread_local SharedWindow shared_window __attribute__((tls_model("initial-exec"))) = {0, 0};

namespace {

std::atomic<bool> checks{[] {
    const char* value = getenv("ASNI_SIM_CHECKS");
    return value == nullptr || strcmp(value, "0") != 0;
}()};

}  // namespace

void set_checks(bool on) { checks = on; }
bool checks_on() { return checks; }

void RaceChecker::watch(uintptr_t from, size_t bytes) {
    low = from;
    void* memory = mmap(nullptr, bytes / 4 * sizeof(Word), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the machine has no memory left for the simulator's checks");
    words = static_cast<Word*>(memory);
}

void RaceChecker::begin_block() { block_epoch = ++epoch; }

}  // namespace asni::sim

// What the compilers call before each access of a kernel.
using asni::sim::Access;

namespace {

inline __attribute__((always_inline)) void on_access(void* pointer, size_t bytes, Access access) {
    uintptr_t offset = uintptr_t(pointer) - asni::sim::shared_window.low;
    if (__builtin_expect(offset < asni::sim::shared_window.bytes, 0)) asni::sim::runner->on_shared_access(uintptr_t(pointer), bytes, access);
}

}  // namespace

#define ASNI_CALLED_BY_COMPILER extern "C" __attribute__((visibility("hidden")))

#define ASNI_ON_PLAIN(bytes)                                                                                                          \
    ASNI_CALLED_BY_COMPILER void __tsan_read##bytes(void* p) { on_access(p, bytes, Access::read); }                                   \
    ASNI_CALLED_BY_COMPILER void __tsan_write##bytes(void* p) { on_access(p, bytes, Access::write); }                                 \
    ASNI_CALLED_BY_COMPILER void __tsan_unaligned_read##bytes(void* p) { on_access(p, bytes, Access::read); }                         \
    ASNI_CALLED_BY_COMPILER void __tsan_unaligned_write##bytes(void* p) { on_access(p, bytes, Access::write); }                       \
    ASNI_CALLED_BY_COMPILER void __tsan_volatile_read##bytes(void*) {}                                                                \
    ASNI_CALLED_BY_COMPILER void __tsan_volatile_write##bytes(void* p) { on_access(p, bytes, Access::atomic); }                       \
    ASNI_CALLED_BY_COMPILER void __tsan_unaligned_volatile_read##bytes(void*) {}                                                      \
    ASNI_CALLED_BY_COMPILER void __tsan_unaligned_volatile_write##bytes(void* p) { on_access(p, bytes, Access::atomic); }

ASNI_ON_PLAIN(1)
ASNI_ON_PLAIN(2)
ASNI_ON_PLAIN(4)
ASNI_ON_PLAIN(8)
ASNI_ON_PLAIN(16)

ASNI_CALLED_BY_COMPILER void __tsan_read_range(void* p, size_t bytes) { on_access(p, bytes, Access::read); }
ASNI_CALLED_BY_COMPILER void __tsan_write_range(void* p, size_t bytes) { on_access(p, bytes, Access::write); }
ASNI_CALLED_BY_COMPILER void __tsan_init() {}
ASNI_CALLED_BY_COMPILER void __tsan_func_entry(void*) {}
ASNI_CALLED_BY_COMPILER void __tsan_func_exit() {}
ASNI_CALLED_BY_COMPILER void __tsan_vptr_update(void**, void*) {}
ASNI_CALLED_BY_COMPILER void __tsan_vptr_read(void**) {}

void* asni::sim::copy(void* to, const void* from, size_t bytes) {
    if (bytes != 0) {
        on_access(const_cast<void*>(from), bytes, Access::read);
        on_access(to, bytes, Access::write);
    }
    return memcpy(to, from, bytes);
}

void* asni::sim::fill(void* to, int value, size_t bytes) {
    if (bytes != 0) on_access(to, bytes, Access::write);
    return memset(to, value, bytes);
}

// clang's own calls.
ASNI_CALLED_BY_COMPILER void* __tsan_memcpy(void* to, const void* from, size_t bytes) { return asni::sim::copy(to, from, bytes); }
ASNI_CALLED_BY_COMPILER void* __tsan_memset(void* to, int value, size_t bytes) { return asni::sim::fill(to, value, bytes); }
ASNI_CALLED_BY_COMPILER void* __tsan_memmove(void* to, const void* from, size_t bytes) {
    if (bytes != 0) {
        on_access(const_cast<void*>(from), bytes, Access::read);
        on_access(to, bytes, Access::write);
    }
    return memmove(to, from, bytes);
}

// Atomics become calls too; the memory order asked for is at most what these give.
#define ASNI_ON_ATOMIC(bits, type)                                                                                                    \
    ASNI_CALLED_BY_COMPILER type __tsan_atomic##bits##_load(const volatile type* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
    ASNI_CALLED_BY_COMPILER void __tsan_atomic##bits##_store(volatile type* p, type v, int) {                                         \
        on_access(const_cast<type*>(p), bits / 8, Access::atomic);                                                                    \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                                     \
    }                                                                                                                                 \
    ASNI_ON_UPDATE(bits, type, exchange, __atomic_exchange_n)                                                                         \
    ASNI_ON_UPDATE(bits, type, fetch_add, __atomic_fetch_add)                                                                         \
    ASNI_ON_UPDATE(bits, type, fetch_sub, __atomic_fetch_sub)                                                                         \
    ASNI_ON_UPDATE(bits, type, fetch_and, __atomic_fetch_and)                                                                         \
    ASNI_ON_UPDATE(bits, type, fetch_or, __atomic_fetch_or)                                                                           \
    ASNI_ON_UPDATE(bits, type, fetch_xor, __atomic_fetch_xor)                                                                         \
    ASNI_ON_COMPARE(bits, type, strong)                                                                                               \
    ASNI_ON_COMPARE(bits, type, weak)

#define ASNI_ON_UPDATE(bits, type, name, builtin)                                                                                     \
    ASNI_CALLED_BY_COMPILER type __tsan_atomic##bits##_##name(volatile type* p, type v, int) {                                        \
        on_access(const_cast<type*>(p), bits / 8, Access::atomic);                                                                    \
        return builtin(p, v, __ATOMIC_SEQ_CST);                                                                                       \
    }

#define ASNI_ON_COMPARE(bits, type, name)                                                                                             \
    ASNI_CALLED_BY_COMPILER int __tsan_atomic##bits##_compare_exchange_##name(volatile type* p, type* expected, type v, int, int) {   \
        on_access(const_cast<type*>(p), bits / 8, Access::atomic);                                                                    \
        return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                \
    }

ASNI_ON_ATOMIC(8, uint8_t)
ASNI_ON_ATOMIC(16, uint16_t)
ASNI_ON_ATOMIC(32, uint32_t)
ASNI_ON_ATOMIC(64, uint64_t)

ASNI_CALLED_BY_COMPILER void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
ASNI_CALLED_BY_COMPILER void __tsan_atomic_signal_fence(int) {}

#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "error.h"
#include "random.h"

namespace asni::sim {

namespace {

// cuMemAlloc promises 256; giving just what a 16-byte access needs puts the guard page right behind the last byte of most allocations,
// and catches code that counts on more.
constexpr size_t alignment = 16;
constexpr unsigned char slack_fill = 0xa5;

struct Allocation {
    size_t bytes;
    uintptr_t pages;  // start of its first page
    size_t page_bytes;
    uint64_t number;
    bool freed;
};

std::mutex lock;
std::map<uintptr_t, Allocation> allocations;  // by start; the latest freed ones too, so that a fault in one is named
std::deque<uintptr_t> freed;  // the oldest first
constexpr size_t max_freed = 1024;
std::map<uintptr_t, size_t> pinned;
uintptr_t space_start = 0, space_end = 0, space_next = 0;
size_t in_use = 0;
uint64_t count = 0;

size_t default_limit() {
    const char* value = getenv("ASNI_SIM_MEMORY");
    size_t bytes = value == nullptr ? 0 : strtoull(value, nullptr, 10);
    return bytes != 0 ? bytes : size_t(4) << 30;
}
size_t limit = default_limit();

size_t page_size() { return size_t(sysconf(_SC_PAGESIZE)); }
size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Address space costs nothing until it is used, so take so much that no address is ever needed twice.
void reserve_space() {
    for (size_t bytes = size_t(8) << 40; bytes >= size_t(1) << 34; bytes /= 2) {
        void* start = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start != MAP_FAILED) {
            space_start = space_next = uintptr_t(start);
            space_end = space_start + bytes;
            return;
        }
    }
    fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the simulator cannot reserve address space for device memory; lift the limit (ulimit -v)");
}

std::map<uintptr_t, Allocation>::iterator find(uintptr_t address) {
    auto next = allocations.upper_bound(address);
    return next == allocations.begin() ? allocations.end() : --next;
}

bool slack_is_whole(uintptr_t start, const Allocation& each, size_t max_before) {
    uintptr_t from = each.pages;
    if (start - from > max_before) from = start - max_before;
    for (uintptr_t p = from; p < start; p++) {
        if (*reinterpret_cast<unsigned char*>(p) != slack_fill) return false;
    }
    for (uintptr_t p = start + each.bytes; p < each.pages + each.page_bytes; p++) {
        if (*reinterpret_cast<unsigned char*>(p) != slack_fill) return false;
    }
    return true;
}

void repair_slack(uintptr_t start, const Allocation& each) {
    memset(reinterpret_cast<void*>(each.pages), slack_fill, start - each.pages);
    memset(reinterpret_cast<void*>(start + each.bytes), slack_fill, each.pages + each.page_bytes - (start + each.bytes));
}

[[noreturn]] void fail_slack(uintptr_t start, const Allocation& each) {
    repair_slack(start, each);
    fail_call(CUDA_ERROR_ILLEGAL_ADDRESS, "something wrote just outside allocation %llu (%zu bytes at 0x%llx)", (unsigned long long)each.number,
              each.bytes, (unsigned long long)start);
}

}  // namespace

uintptr_t allocate_device(size_t bytes) {
    std::lock_guard hold(lock);
    if (bytes == 0) fail_call(CUDA_ERROR_INVALID_VALUE, "cuMemAlloc of 0 bytes");
    if (bytes > limit || in_use > limit - bytes) {
        fail_call(CUDA_ERROR_OUT_OF_MEMORY, "out of memory: %zu bytes asked for, %zu of %zu in use", bytes, in_use, limit);
    }
    if (space_start == 0) reserve_space();
    size_t page = page_size(), page_bytes = round_up(bytes, page);
    if (space_end - space_next < page_bytes + 2 * page) fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the simulator's address space is used up");
    uintptr_t pages = space_next + page;
    if (mprotect(reinterpret_cast<void*>(pages), page_bytes, PROT_READ | PROT_WRITE) != 0) {
        fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the machine has no %zu bytes left", page_bytes);
    }
    space_next = pages + page_bytes;
    uintptr_t start = pages + page_bytes - round_up(bytes, alignment);
    Allocation made{bytes, pages, page_bytes, ++count, false};
    repair_slack(start, made);
    poison(reinterpret_cast<void*>(start), bytes, made.number);
    allocations.emplace(start, made);
    in_use += bytes;
    return start;
}

void free_device(uintptr_t address) {
    std::lock_guard hold(lock);
    auto found = allocations.find(address);
    if (found == allocations.end()) fail_call(CUDA_ERROR_INVALID_VALUE, "cuMemFree of 0x%llx, which is no allocation", (unsigned long long)address);
    Allocation& each = found->second;
    if (each.freed) fail_call(CUDA_ERROR_INVALID_VALUE, "cuMemFree of allocation %llu, freed before", (unsigned long long)each.number);
    bool whole = slack_is_whole(address, each, each.page_bytes);
    each.freed = true;
    freed.push_back(address);
    in_use -= each.bytes;
    void* pages = reinterpret_cast<void*>(each.pages);
    madvise(pages, each.page_bytes, MADV_DONTNEED);
    mprotect(pages, each.page_bytes, PROT_NONE);
    uint64_t number = each.number;
    size_t bytes = each.bytes;
    if (freed.size() > max_freed) {
        allocations.erase(freed.front());
        freed.pop_front();
    }
    if (!whole) {
        fail_call(CUDA_ERROR_ILLEGAL_ADDRESS, "something wrote just outside allocation %llu (%zu bytes)", (unsigned long long)number, bytes);
    }
}

void require_device_range(uintptr_t address, size_t bytes, const char* call) {
    std::unique_lock hold(lock);
    auto found = find(address);
    if (found != allocations.end()) {
        const Allocation& each = found->second;
        size_t offset = address - found->first;
        if (!each.freed && offset <= each.bytes && bytes <= each.bytes - offset) return;
    }
    hold.unlock();
    fail_call(CUDA_ERROR_INVALID_VALUE, "%s of %zu bytes at a wrong device address: %s", call, bytes, describe_device_address(address).c_str());
}

// Bytes far before an allocation are looked at when it is freed.
void check_slack() {
    std::lock_guard hold(lock);
    for (auto& [start, each] : allocations) {
        if (!each.freed && !slack_is_whole(start, each, 64)) fail_slack(start, each);
    }
}

bool in_device_space(uintptr_t address) { return address >= space_start && address < space_end; }

std::string describe_device_address(uintptr_t address) {
    std::lock_guard hold(lock);
    char text[256];
    if (!in_device_space(address)) {
        snprintf(text, sizeof text, address < 65536 ? "0x%llx, a null pointer with an offset" : "0x%llx, which is not device memory",
                 (unsigned long long)address);
        return text;
    }
    auto found = find(address);
    auto next = allocations.upper_bound(address);
    bool before_next = next != allocations.end() &&
        (found == allocations.end() || next->first - address < address - found->first - (long long)found->second.bytes);
    if (before_next && (found == allocations.end() || address >= found->first + found->second.bytes)) {
        snprintf(text, sizeof text, "0x%llx, %llu bytes before allocation %llu (%zu bytes)", (unsigned long long)address,
                 (unsigned long long)(next->first - address), (unsigned long long)next->second.number, next->second.bytes);
        return text;
    }
    if (found == allocations.end()) return "an address before the first allocation";
    const Allocation& each = found->second;
    unsigned long long offset = address - found->first;
    const char* state = each.freed ? ", which is freed" : "";
    if (offset < each.bytes) {
        snprintf(text, sizeof text, "0x%llx, byte %llu of allocation %llu (%zu bytes%s)", (unsigned long long)address, offset,
                 (unsigned long long)each.number, each.bytes, state);
    } else {
        snprintf(text, sizeof text, "0x%llx, %llu bytes after the end of allocation %llu (%zu bytes%s)", (unsigned long long)address,
                 offset - each.bytes, (unsigned long long)each.number, each.bytes, state);
    }
    return text;
}

void set_memory_limit(size_t bytes) {
    std::lock_guard hold(lock);
    limit = bytes != 0 ? bytes : default_limit();
}

size_t memory_limit() {
    std::lock_guard hold(lock);
    return limit;
}

size_t memory_in_use() {
    std::lock_guard hold(lock);
    return in_use;
}

void* allocate_pinned(size_t bytes) {
    void* pointer = aligned_alloc(4096, round_up(bytes == 0 ? 1 : bytes, 4096));
    if (pointer == nullptr) fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the machine has no %zu bytes left", bytes);
    std::lock_guard hold(lock);
    pinned.emplace(uintptr_t(pointer), bytes);
    return pointer;
}

void free_pinned(void* pointer) {
    std::lock_guard hold(lock);
    if (pinned.erase(uintptr_t(pointer)) == 0) fail_call(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost of a pointer that cuMemHostAlloc did not give");
    free(pointer);
}

bool is_pinned(const void* pointer) {
    std::lock_guard hold(lock);
    auto next = pinned.upper_bound(uintptr_t(pointer));
    if (next == pinned.begin()) return false;
    --next;
    return uintptr_t(pointer) < next->first + next->second;
}

void poison(void* start, size_t bytes, uint64_t seed) {
    Random random(seed);
    // Upper bits 0111 1111 10.. in each half: a signalling NaN as bf16 and, in the upper half, as float.
    uint64_t word = (random.next() & 0x003f003f003f003full) | 0x7f817f817f817f81ull;
    char* to = static_cast<char*>(start);
    for (; bytes >= 8; bytes -= 8, to += 8) memcpy(to, &word, 8);
    memcpy(to, &word, bytes);
}

}  // namespace asni::sim

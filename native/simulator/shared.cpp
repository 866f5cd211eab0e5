#include "shared.h"

#include <sys/mman.h>

#include <mutex>

#include "error.h"
#include "memory.h"

namespace asni::sim {

namespace {

constexpr size_t page = 4096;
constexpr size_t max_static_bytes = 48 << 10;
constexpr size_t space_bytes = 64 << 20;

std::mutex lock;
int slot_count = 0;

int slot_of(SharedArray& array) {
    int slot = __atomic_load_n(&array.slot, __ATOMIC_ACQUIRE);
    if (slot >= 0) return slot;
    std::lock_guard hold(lock);
    if (array.slot < 0) __atomic_store_n(&array.slot, slot_count++, __ATOMIC_RELEASE);
    return array.slot;
}

}  // namespace

SharedMemory::SharedMemory() {
    void* start = mmap(nullptr, space_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the machine has no memory left for shared arrays");
    space = space_next = static_cast<char*>(start);
    races.watch(uintptr_t(space), space_bytes);
}

SharedMemory::~SharedMemory() { munmap(space, space_bytes); }

// The end of the memory meets the guard page, as near as the alignment of its start allows.
void SharedMemory::place(Region& region, size_t bytes, size_t alignment, const char* name) {
    size_t needed = (bytes + page - 1) / page * page;
    if (region.page_bytes < needed) {
        if (size_t(space + space_bytes - space_next) < needed + 2 * page) {
            fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the simulator's space for shared arrays is full");
        }
        if (region.pages != nullptr) mprotect(region.pages, region.page_bytes, PROT_NONE);
        region.pages = space_next + page;
        region.page_bytes = needed;
        space_next += needed + page;
        mprotect(region.pages, needed, PROT_READ | PROT_WRITE);
    }
    region.start = region.pages + region.page_bytes - (bytes + alignment - 1) / alignment * alignment;
    region.bytes = bytes;
    region.name = name;
}

void* SharedMemory::begin_block(size_t dynamic_bytes, uint64_t block_seed) {
    block++;
    seed = block_seed;
    static_bytes = 0;
    races.begin_block();
    shared_window = {uintptr_t(space), checks_on() ? space_bytes : 0};
    if (dynamic_bytes == 0) return nullptr;
    // 128 bytes: what wide copies into shared memory ask of its start.
    if (dynamic.bytes != dynamic_bytes) place(dynamic, dynamic_bytes, 128, "dynamic shared memory");
    poison(dynamic.start, dynamic_bytes, seed);
    return dynamic.start;
}

void* SharedMemory::get(SharedArray& array) {
    size_t slot = size_t(slot_of(array));
    if (slot >= regions.size()) regions.resize(slot + 1);
    Region& region = regions[slot];
    if (region.block == block) return region.start;
    static_bytes += array.bytes;
    if (static_bytes > max_static_bytes) return nullptr;
    if (region.start == nullptr) place(region, array.bytes, 16, array.name);
    region.block = block;
    poison(region.start, region.bytes, seed + slot + 1);
    return region.start;
}

std::string SharedMemory::describe(uintptr_t address) const {
    auto holds = [&](const Region& region) {
        return region.pages != nullptr && address >= uintptr_t(region.pages) - page && address < uintptr_t(region.pages) + region.page_bytes + page;
    };
    const Region* found = holds(dynamic) ? &dynamic : nullptr;
    for (const Region& region : regions) {
        if (holds(region)) found = &region;
    }
    if (found == nullptr) return "";
    long long offset = (long long)(address - uintptr_t(found->start));
    return "byte " + std::to_string(offset) + " of shared array " + found->name + " (" + std::to_string(found->bytes) + " bytes)";
}

}  // namespace asni::sim

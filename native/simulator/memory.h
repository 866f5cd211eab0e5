// Device memory: host pages with a guard page behind every allocation, never given out twice, so that an access outside one or after
// its end faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace asni::sim {

uintptr_t allocate_device(size_t bytes);
void free_device(uintptr_t address);

// Throws unless the whole range lies in one living allocation.
void require_device_range(uintptr_t address, size_t bytes, const char* call);

// Throws when a kernel has written into the bytes beside an allocation that no guard page covers.
void check_slack();

// Whether the address is in the space that device memory is taken from, and what lies there or nearest to it, in words.
bool in_device_space(uintptr_t address);
std::string describe_device_address(uintptr_t address);

void set_memory_limit(size_t bytes);
size_t memory_limit();
size_t memory_in_use();

void* allocate_pinned(size_t bytes);
void free_pinned(void* pointer);
bool is_pinned(const void* pointer);

// Fills with bit patterns that are signalling NaNs as float and as bf16 and huge as integers: using them shows.
void poison(void* start, size_t bytes, uint64_t seed);

}  // namespace asni::sim

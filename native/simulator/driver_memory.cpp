// The driver's entry points for memory and copies.
#include <cstring>
#include <vector>

#include "error.h"
#include "memory.h"
#include "stream.h"

using namespace asni::sim;

namespace {

template <class F>
CUresult locked(F body) {
    return guarded([&] {
        std::lock_guard hold(driver_lock);
        require_context();
        body();
    });
}

char* device(uint64_t address) { return reinterpret_cast<char*>(address); }

// The address is checked now, for the caller's sake, and when the copy is made: a graph may be launched after its memory was freed.
void enqueue_checked(Stream* stream, uint64_t address, size_t bytes, const char* call, Operation operation) {
    require_device_range(address, bytes, call);
    enqueue(stream, [=, operation = std::move(operation)] {
        require_device_range(address, bytes, call);
        operation();
    });
}

template <class T>
void fill(Stream* stream, uint64_t address, T value, size_t count, const char* call) {
    if (address % sizeof(T) != 0) fail_call(CUDA_ERROR_INVALID_VALUE, "%s at an address that is no multiple of %zu", call, sizeof(T));
    enqueue_checked(stream, address, count * sizeof(T), call, [=] {
        T* to = reinterpret_cast<T*>(address);
        for (size_t i = 0; i < count; i++) to[i] = value;
    });
}

void copy_to_device(Stream* stream, uint64_t to, const void* from, size_t bytes, const char* call) {
    if (is_capturing(stream) || is_pinned(from)) {
        enqueue_checked(stream, to, bytes, call, [=] { memcpy(device(to), from, bytes); });
        return;
    }
    // Pageable memory is read before the call returns.
    std::vector<char> now(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    enqueue_checked(stream, to, bytes, call, [to, now = std::move(now)] { memcpy(device(to), now.data(), now.size()); });
}

void copy_to_host(Stream* stream, void* to, uint64_t from, size_t bytes, const char* call) {
    enqueue_checked(stream, from, bytes, call, [=] { memcpy(to, device(from), bytes); });
    // Into pageable memory the call returns when the copy is made.
    if (!is_capturing(stream) && !is_pinned(to)) drain(stream);
}

void copy_on_device(Stream* stream, uint64_t to, uint64_t from, size_t bytes, const char* call) {
    require_device_range(to, bytes, call);
    enqueue_checked(stream, from, bytes, call, [=] {
        require_device_range(to, bytes, call);
        memmove(device(to), device(from), bytes);
    });
}

// The null stream, for calls that wait.
Stream* waiting_stream(const char* call) {
    require_no_capture(call);
    return stream_of(nullptr);
}

}  // namespace

ASNI_EXPORT CUresult cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
    return locked([&] {
        *total = memory_limit();
        size_t used = memory_in_use();
        *free_bytes = used < *total ? *total - used : 0;
    });
}

ASNI_EXPORT CUresult cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    return locked([&] {
        require_no_capture("cuMemAlloc");
        *address = allocate_device(bytes);
    });
}

ASNI_EXPORT CUresult cuMemFree_v2(uint64_t address) {
    return locked([&] {
        require_no_capture("cuMemFree");
        synchronize_all();
        if (address != 0) free_device(address);
    });
}

ASNI_EXPORT CUresult cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    return locked([&] {
        require_no_capture("cuMemHostAlloc");
        *pointer = allocate_pinned(bytes);
    });
}

ASNI_EXPORT CUresult cuMemFreeHost(void* pointer) {
    return locked([&] {
        require_no_capture("cuMemFreeHost");
        synchronize_all();
        free_pinned(pointer);
    });
}

ASNI_EXPORT CUresult cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
    return locked([&] { copy_to_device(waiting_stream("cuMemcpyHtoD"), to, from, bytes, "cuMemcpyHtoD"); });
}

ASNI_EXPORT CUresult cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
    return locked([&] { copy_to_device(stream_of(stream), to, from, bytes, "cuMemcpyHtoDAsync"); });
}

ASNI_EXPORT CUresult cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
    return locked([&] { copy_to_host(waiting_stream("cuMemcpyDtoH"), to, from, bytes, "cuMemcpyDtoH"); });
}

ASNI_EXPORT CUresult cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
    return locked([&] { copy_to_host(stream_of(stream), to, from, bytes, "cuMemcpyDtoHAsync"); });
}

ASNI_EXPORT CUresult cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    return locked([&] { copy_on_device(waiting_stream("cuMemcpyDtoD"), to, from, bytes, "cuMemcpyDtoD"); });
}

ASNI_EXPORT CUresult cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* stream) {
    return locked([&] { copy_on_device(stream_of(stream), to, from, bytes, "cuMemcpyDtoDAsync"); });
}

ASNI_EXPORT CUresult cuMemsetD8_v2(uint64_t to, unsigned char value, size_t count) {
    return locked([&] { fill(waiting_stream("cuMemsetD8"), to, value, count, "cuMemsetD8"); });
}

ASNI_EXPORT CUresult cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, void* stream) {
    return locked([&] { fill(stream_of(stream), to, value, count, "cuMemsetD8Async"); });
}

ASNI_EXPORT CUresult cuMemsetD32_v2(uint64_t to, uint32_t value, size_t count) {
    return locked([&] { fill(waiting_stream("cuMemsetD32"), to, value, count, "cuMemsetD32"); });
}

ASNI_EXPORT CUresult cuMemsetD32Async(uint64_t to, uint32_t value, size_t count, void* stream) {
    return locked([&] { fill(stream_of(stream), to, value, count, "cuMemsetD32Async"); });
}

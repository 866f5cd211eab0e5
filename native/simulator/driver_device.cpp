// The driver's entry points for the device, its context and error texts. There is one device.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "error.h"
#include "launch.h"
#include "memory.h"
#include "races.h"
#include "stream.h"

using namespace asni::sim;

namespace {

bool initialised = false;
int retained = 0;
int context_object;
thread_local void* context_now = nullptr;

void require_device(int device) {
    if (!initialised) fail_call(CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
    if (device != 0) fail_call(CUDA_ERROR_INVALID_DEVICE, "device %d asked for; the simulator has device 0 alone", device);
}

// Compute capability times ten.
int capability() {
    const char* value = getenv("ASNI_SIM_CAPABILITY");
    return value == nullptr ? 90 : atoi(value);
}

}  // namespace

ASNI_EXPORT CUresult cuInit(unsigned) {
    initialised = true;
    return CUDA_SUCCESS;
}

ASNI_EXPORT CUresult cuDriverGetVersion(int* version) {
    *version = 12040;
    return CUDA_SUCCESS;
}

ASNI_EXPORT CUresult cuDeviceGetCount(int* count) {
    return guarded([&] {
        require_device(0);
        *count = 1;
    });
}

ASNI_EXPORT CUresult cuDeviceGet(int* device, int ordinal) {
    return guarded([&] {
        require_device(ordinal);
        *device = 0;
    });
}

ASNI_EXPORT CUresult cuDeviceGetName(char* name, int length, int device) {
    return guarded([&] {
        require_device(device);
        strncpy(name, "Asni CUDA simulator", size_t(length));
    });
}

// The threads that ask are counted, so that ranks that are threads have a GPU of their own each, and those that are processes share one.
ASNI_EXPORT CUresult cuDeviceGetUuid(char* uuid, int device) {
    return guarded([&] {
        static std::atomic<int> threads = 0;
        static thread_local int number = ++threads;
        require_device(device);
        memset(uuid, 0, 16);
        memcpy(uuid, &number, sizeof number);
    });
}

ASNI_EXPORT CUresult cuDeviceTotalMem_v2(size_t* bytes, int device) {
    return guarded([&] {
        require_device(device);
        *bytes = memory_limit();
    });
}

// Few multiprocessors, so that grids sized by their number stay small; the rest is as on the GPU whose capability is told.
ASNI_EXPORT CUresult cuDeviceGetAttribute(int* value, int attribute, int device) {
    return guarded([&] {
        require_device(device);
        switch (attribute) {
            case 1: *value = 1024; return;                             // MAX_THREADS_PER_BLOCK
            case 2: case 3: *value = 1024; return;                     // MAX_BLOCK_DIM_X, Y
            case 4: *value = 64; return;                               // MAX_BLOCK_DIM_Z
            case 5: *value = 2147483647; return;                       // MAX_GRID_DIM_X
            case 6: case 7: *value = 65535; return;                    // MAX_GRID_DIM_Y, Z
            case 8: *value = 48 << 10; return;                         // MAX_SHARED_MEMORY_PER_BLOCK
            case 10: *value = 32; return;                              // WARP_SIZE
            case 12: *value = 65536; return;                           // MAX_REGISTERS_PER_BLOCK
            case 13: *value = 1000000; return;                         // CLOCK_RATE, kHz
            case 16: *value = 8; return;                               // MULTIPROCESSOR_COUNT
            case 36: *value = 1000000; return;                         // MEMORY_CLOCK_RATE, kHz
            case 37: *value = 64; return;                              // GLOBAL_MEMORY_BUS_WIDTH, bits
            case 38: *value = 4 << 20; return;                         // L2_CACHE_SIZE
            case 39: *value = 2048; return;                            // MAX_THREADS_PER_MULTIPROCESSOR
            case 41: *value = 1; return;                               // UNIFIED_ADDRESSING
            case 75: *value = capability() / 10; return;               // COMPUTE_CAPABILITY_MAJOR
            case 76: *value = capability() % 10; return;               // COMPUTE_CAPABILITY_MINOR
            case 81: *value = int(max_dynamic_shared + 1024); return; // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
            case 97: *value = int(max_dynamic_shared); return;        // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
            default: fail_call(CUDA_ERROR_INVALID_VALUE, "the simulator knows no device attribute %d", attribute);
        }
    });
}

ASNI_EXPORT CUresult cuDevicePrimaryCtxRetain(void** context, int device) {
    return guarded([&] {
        require_device(device);
        retained++;
        *context = &context_object;
    });
}

ASNI_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(int device) {
    return guarded([&] {
        require_device(device);
        if (retained == 0) fail_call(CUDA_ERROR_INVALID_CONTEXT, "the primary context is released more often than retained");
        retained--;
    });
}

ASNI_EXPORT CUresult cuCtxSetCurrent(void* context) {
    return guarded([&] {
        if (context != nullptr && context != &context_object) fail_call(CUDA_ERROR_INVALID_CONTEXT, "no context of the simulator");
        context_now = context;
    });
}

ASNI_EXPORT CUresult cuCtxGetCurrent(void** context) {
    *context = context_now;
    return CUDA_SUCCESS;
}

void asni::sim::require_context() {
    if (context_now == nullptr || retained == 0) {
        fail_call(CUDA_ERROR_INVALID_CONTEXT, "no context is current on this thread; call cuCtxSetCurrent first");
    }
}

ASNI_EXPORT CUresult cuCtxSynchronize() {
    return guarded([] {
        require_context();
        synchronize_all();
    });
}

ASNI_EXPORT CUresult cuGetErrorName(CUresult code, const char** name) {
    *name = name_of(code);
    return *name == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

ASNI_EXPORT CUresult cuGetErrorString(CUresult code, const char** text) {
    *text = text_of(code);
    return *text == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

// The simulator's own: what tests steer it by, and a name by which callers know it from a driver.
ASNI_EXPORT const char* asniSimLastError() { return last_error(); }
ASNI_EXPORT void asniSimSetSeed(uint64_t seed) { set_seed(seed); }
ASNI_EXPORT void asniSimSetMemoryLimit(uint64_t bytes) { set_memory_limit(bytes); }
ASNI_EXPORT void asniSimSetChecks(int on) { set_checks(on != 0); }
ASNI_EXPORT void asniSimSetTimeLimit(uint64_t milliseconds) { set_time_limit(milliseconds); }

// Results of driver calls: CUDA's numbers, and for the last failure of each calling thread a text that says what was wrong.
#pragma once

#include <string>

namespace asni::sim {

enum CUresult : int {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
};

// Thrown inside the simulator, turned into a result at the entry points.
struct Failure {
    CUresult code;
    std::string text;
};

[[noreturn]] void fail_call(CUresult code, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Remembers the failure as this thread's last and returns its code.
CUresult report(const Failure& failure);
const char* name_of(CUresult code);  // null for a number that is no result of ours
const char* text_of(CUresult code);
const char* last_error();

// The body of an entry point: no exception may leave it.
template <class F>
CUresult guarded(F body) {
    try {
        body();
        return CUDA_SUCCESS;
    } catch (const Failure& failure) {
        return report(failure);
    }
}

}  // namespace asni::sim

#define ASNI_EXPORT extern "C" __attribute__((visibility("default")))

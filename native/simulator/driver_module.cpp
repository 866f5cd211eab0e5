// The driver's entry points for modules, functions and launches. A module's PTX is not run, only asked which kernels it has: their host
// versions are in this library under the same names.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "error.h"
#include "launch.h"
#include "ptx.h"
#include "stream.h"

using namespace asni::sim;

namespace {

// Static and dynamic shared memory together that a launch has without asking for more.
constexpr unsigned shared_for_all = 48 << 10;

struct Function {
    const Kernel* kernel;
    unsigned static_shared;
    unsigned max_dynamic;
};

struct Module {
    Ptx ptx;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

std::set<Module*> modules;
std::set<Function*> functions;

template <class F>
CUresult locked(F body) {
    return guarded([&] {
        std::lock_guard hold(driver_lock);
        require_context();
        body();
    });
}

Function* function_of(void* handle) {
    Function* function = static_cast<Function*>(handle);
    if (functions.count(function) == 0) fail_call(CUDA_ERROR_INVALID_HANDLE, "%p is no function of the simulator, or its module is unloaded", handle);
    return function;
}

// Options of cuModuleLoadDataEx: where the error log goes and how long it may be.
void write_error_log(const char* log, unsigned count, const int* options, void** values) {
    constexpr int error_log_buffer = 5, error_log_bytes = 6;
    char* buffer = nullptr;
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == error_log_buffer) buffer = static_cast<char*>(values[i]);
        if (options[i] == error_log_bytes) bytes = reinterpret_cast<size_t>(values[i]);
    }
    if (buffer != nullptr && bytes != 0) {
        strncpy(buffer, log, bytes - 1);
        buffer[bytes - 1] = 0;
    }
}

// The bytes of the one argument, from either of the two ways to pass it; with a buffer its size is known and checked.
std::vector<unsigned char> argument(const Kernel& kernel, void** parameters, void** extra) {
    const void* from = parameters == nullptr ? nullptr : parameters[0];
    if (extra != nullptr) {
        size_t bytes = 0;
        for (void** each = extra; *each != nullptr; each += 2) {
            if (reinterpret_cast<size_t>(*each) == 1) from = each[1];
            if (reinterpret_cast<size_t>(*each) == 2) bytes = *static_cast<size_t*>(each[1]);
        }
        if (bytes != kernel.parameter_bytes) {
            fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s takes %zu bytes of parameters and was given %zu", kernel.name, kernel.parameter_bytes, bytes);
        }
    }
    if (from == nullptr) fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s was given no parameters", kernel.name);
    const unsigned char* bytes = static_cast<const unsigned char*>(from);
    return {bytes, bytes + kernel.parameter_bytes};
}

void check_shape(const Function& function, Index3 grid, Index3 block, unsigned dynamic_bytes) {
    const Kernel& kernel = *function.kernel;
    uint64_t threads = uint64_t(block.x) * block.y * block.z;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || threads == 0) {
        fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: a grid of (%u,%u,%u) blocks of (%u,%u,%u) threads is empty", kernel.name, grid.x, grid.y,
                  grid.z, block.x, block.y, block.z);
    }
    if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) {
        fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: a grid of (%u,%u,%u) passes (2147483647,65535,65535)", kernel.name, grid.x, grid.y, grid.z);
    }
    if (threads > 1024 || block.z > 64) {
        fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: a block of (%u,%u,%u) threads is too large", kernel.name, block.x, block.y, block.z);
    }
    if (threads > kernel.max_threads) {
        fail_call(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "kernel %s: its launch bounds allow %u threads a block, the launch asks for %u", kernel.name,
                  kernel.max_threads, unsigned(threads));
    }
    if (dynamic_bytes > function.max_dynamic) {
        fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: %u bytes of dynamic shared memory pass the %u that it may have beside %u static ones",
                  kernel.name, dynamic_bytes, function.max_dynamic, function.static_shared);
    }
}

// ASNI_SIM_BREAK=KERNEL:refuse, :wrong or :hang breaks every launch of one kernel, so that tests see what its callers make of that. Returns the word.
std::string broken(const char* kernel) {
    const char* value = getenv("ASNI_SIM_BREAK");
    size_t length = strlen(kernel);
    return value != nullptr && strncmp(value, kernel, length) == 0 && value[length] == ':' ? value + length + 1 : "";
}

}  // namespace

ASNI_EXPORT CUresult cuModuleLoadDataEx(void** handle, const void* image, unsigned count, int* options, void** values) {
    return locked([&] {
        require_no_capture("cuModuleLoadDataEx");
        std::string text = static_cast<const char*>(image);
        if (text.compare(0, 2, "//") != 0 && text.find(".version") == std::string::npos) {
            write_error_log("ptxas fatal   : Missing .version directive at start of file", count, options, values);
            fail_call(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed");
        }
        Module* module = new Module{Ptx(std::move(text)), {}};
        modules.insert(module);
        *handle = module;
    });
}

ASNI_EXPORT CUresult cuModuleUnload(void* handle) {
    return locked([&] {
        Module* module = static_cast<Module*>(handle);
        if (modules.erase(module) == 0) fail_call(CUDA_ERROR_INVALID_HANDLE, "%p is no module of the simulator", handle);
        synchronize_all();
        for (auto& [name, function] : module->functions) functions.erase(function.get());
        delete module;
    });
}

ASNI_EXPORT CUresult cuModuleGetFunction(void** handle, void* module_handle, const char* name) {
    return locked([&] {
        Module* module = static_cast<Module*>(module_handle);
        if (modules.count(module) == 0) fail_call(CUDA_ERROR_INVALID_HANDLE, "%p is no module of the simulator", module_handle);
        const Kernel* kernel = module->ptx.declares(name) ? find_kernel(name) : nullptr;
        if (kernel == nullptr) fail_call(CUDA_ERROR_NOT_FOUND, "there is no kernel %s in the module", name);
        std::unique_ptr<Function>& function = module->functions[name];
        if (function == nullptr) {
            unsigned bytes = module->ptx.static_shared_bytes(name);
            if (bytes > shared_for_all) fail_call(CUDA_ERROR_INVALID_PTX, "kernel %s has %u bytes of static shared memory", name, bytes);
            function = std::make_unique<Function>(Function{kernel, bytes, shared_for_all - bytes});
            functions.insert(function.get());
        }
        *handle = function.get();
    });
}

ASNI_EXPORT CUresult cuFuncGetAttribute(int* value, int attribute, void* handle) {
    return locked([&] {
        Function* function = function_of(handle);
        switch (attribute) {
            case 0: *value = int(function->kernel->max_threads); return;  // MAX_THREADS_PER_BLOCK
            case 1: *value = int(function->static_shared); return;        // SHARED_SIZE_BYTES
            case 2: case 3: *value = 0; return;                           // CONST, LOCAL_SIZE_BYTES: not known here
            case 4: *value = 0; return;                                   // NUM_REGS: not known here
            case 5: case 6: *value = 80; return;                          // PTX_VERSION, BINARY_VERSION
            case 8: *value = int(function->max_dynamic); return;         // MAX_DYNAMIC_SHARED_SIZE_BYTES
            default: fail_call(CUDA_ERROR_INVALID_VALUE, "the simulator knows no function attribute %d", attribute);
        }
    });
}

ASNI_EXPORT CUresult cuFuncSetAttribute(void* handle, int attribute, int value) {
    return locked([&] {
        Function* function = function_of(handle);
        constexpr int max_dynamic_shared_size = 8, preferred_carveout = 9;
        if (attribute == preferred_carveout) return;
        if (attribute != max_dynamic_shared_size) fail_call(CUDA_ERROR_INVALID_VALUE, "function attribute %d cannot be set", attribute);
        if (value < 0 || unsigned(value) + function->static_shared > max_dynamic_shared) {
            fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: %d bytes of dynamic and %u of static shared memory pass the device's %zu",
                      function->kernel->name, value, function->static_shared, max_dynamic_shared);
        }
        function->max_dynamic = unsigned(value);
    });
}

ASNI_EXPORT CUresult cuFuncGetParamInfo(void* handle, size_t index, size_t* offset, size_t* bytes) {
    return locked([&] {
        Function* function = function_of(handle);
        if (index != 0) fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s has one parameter", function->kernel->name);
        *offset = 0;
        if (bytes != nullptr) *bytes = function->kernel->parameter_bytes;
    });
}

ASNI_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t dynamic_bytes) {
    return locked([&] {
        size_t shared = dynamic_bytes + function_of(handle)->static_shared;
        if (threads <= 0 || threads > 1024) fail_call(CUDA_ERROR_INVALID_VALUE, "a block of %d threads", threads);
        size_t by_threads = 2048 / size_t(threads), by_shared = (max_dynamic_shared + 1024) / (shared + 1024);
        *blocks = int(by_threads < by_shared ? by_threads : by_shared);
    });
}

ASNI_EXPORT CUresult cuLaunchKernel(void* handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                                    unsigned block_z, unsigned dynamic_bytes, void* stream, void** parameters, void** extra) {
    return locked([&] {
        Function* function = function_of(handle);
        Index3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
        check_shape(*function, grid, block, dynamic_bytes);
        Launch launch{function->kernel, argument(*function->kernel, parameters, extra), grid, block, dynamic_bytes};
        std::string fault = broken(function->kernel->name);
        if (fault == "refuse") fail_call(CUDA_ERROR_INVALID_VALUE, "kernel %s: refused, because ASNI_SIM_BREAK says so", function->kernel->name);
        if (fault == "wrong") return;
        if (fault == "hang") {
            enqueue(stream_of(stream), [] {
                for (;;) pause();
            });
            return;
        }
        enqueue(stream_of(stream), [launch = std::move(launch)] { run(launch); });
    });
}

// Streams, events and graphs. Work given to a stream is kept back until somebody waits for it, so that a caller who forgets to wait, or
// changes a buffer too early, sees it. ASNI_SIM_EAGER=1 does everything at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "error.h"

namespace asni::sim {

using Operation = std::function<void()>;

struct Stream;

// What a stream's work is recorded into instead of done, from cuStreamBeginCapture to cuStreamEndCapture.
struct Capture {
    Stream* origin;
    int mode;  // 0 global, 1 thread-local, 2 relaxed
    std::thread::id owner;
    bool invalid = false;
    std::vector<Operation> operations;  // the order of issue satisfies every dependence
};

struct Stream {
    bool blocking = true;  // takes part in the null stream's order
    std::deque<Operation> pending;
    uint64_t issued = 0, completed = 0;
    std::shared_ptr<Capture> capture;
    uint64_t captured = 0;  // operations recorded from this stream
    bool joined = true;     // whether the capture's origin depends on the latest of them
    std::thread::id rank;   // where ranks are threads, the one whose work it has; none: of all
    bool waiting = false;   // whether a thread that does its work waits for other ranks, with the lock given up
};

struct Event {
    Stream* stream = nullptr;  // null until recorded
    uint64_t position = 0;     // the stream's work up to here comes before the event
    std::shared_ptr<Capture> capture;
    uint64_t captured = 0;
    bool reached = false;
    std::chrono::steady_clock::time_point time;
};

struct Graph {
    std::vector<Operation> operations;
};

// Held by every entry point that touches streams; kernels run under it.
extern std::recursive_mutex driver_lock;

// Throws unless a context is current on the calling thread.
void require_context();

// The body of a library's entry point.
template <class F>
int library_call(int failed, F body) {
    CUresult result = guarded([&] {
        std::lock_guard hold(driver_lock);
        require_context();
        body();
    });
    return result == CUDA_SUCCESS ? 0 : failed;
}

// The stream of a handle; throws when it is none. Null is the legacy stream.
Stream* stream_of(void* handle);

// Adds work to a stream: recorded, kept back, or done at once on the null stream. Returns whether it was recorded.
bool enqueue(Stream* stream, Operation operation);

bool is_capturing(Stream* stream);

// Returns when no other thread does the stream's work.
void wait_while_others_drain(Stream* stream);

// Does the stream's work up to a position; the default is all of it.
void drain(Stream* stream, uint64_t position = UINT64_MAX);

// Not what belongs to other ranks, which may wait for this one.
void synchronize_all();

// Throws when a capture is in progress that does not allow this call, which would wait for the device.
void require_no_capture(const char* call);

}  // namespace asni::sim

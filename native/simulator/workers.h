// The machine threads that run blocks. They are the simulator's own, because a caller's thread has a stack and signal handling of its own
// (.NET's) that fibers would disturb.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "error.h"

namespace asni::sim {

class Workers {
public:
    explicit Workers(unsigned count);

    // Calls body(0) .. body(count - 1), each on some worker, and returns when all have; throws the failure of the lowest i that failed, and
    // starts no further i after one failed. After the time limit what still runs is interrupted.
    void run(uint64_t count, std::chrono::milliseconds limit, const std::function<void(uint64_t)>& body);

private:
    void work();
    void drain();

    std::mutex lock;
    std::condition_variable wake, done;
    std::vector<pthread_t> threads;  // live as long as the process
    const std::function<void(uint64_t)>* body = nullptr;
    uint64_t count = 0, next = 0, round = 0;
    unsigned busy = 0;
    uint64_t failed_at = 0;
    Failure failure{CUDA_SUCCESS, ""};
};

}  // namespace asni::sim

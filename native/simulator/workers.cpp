#include "workers.h"

#include "block.h"
#include "faults.h"

namespace asni::sim {

Workers::Workers(unsigned thread_count) {
    install_fault_handler();
    for (unsigned i = 0; i < (thread_count == 0 ? 1 : thread_count); i++) {
        std::thread thread([this] { work(); });
        threads.push_back(thread.native_handle());
        // Never joined: they wait for the next launch until the process ends.
        thread.detach();
    }
}

void Workers::run(uint64_t block_count, std::chrono::milliseconds limit, const std::function<void(uint64_t)>& block_body) {
    std::unique_lock hold(lock);
    body = &block_body;
    count = block_count;
    next = 0;
    failure = {CUDA_SUCCESS, ""};
    failed_at = UINT64_MAX;
    busy = unsigned(threads.size());
    round++;
    wake.notify_all();
    while (!done.wait_for(hold, limit, [this] { return busy == 0; })) {
        __atomic_store_n(&next, count, __ATOMIC_RELAXED);
        for (pthread_t thread : threads) interrupt_kernel(thread);
    }
    if (failure.code != CUDA_SUCCESS) throw failure;
}

void Workers::work() {
    prepare_thread_for_faults();
    BlockRunner mine;
    runner = &mine;
    uint64_t seen = 0;
    for (;;) {
        {
            std::unique_lock hold(lock);
            wake.wait(hold, [&] { return round != seen; });
            seen = round;
        }
        drain();
        std::lock_guard hold(lock);
        if (--busy == 0) done.notify_one();
    }
}

void Workers::drain() {
    for (;;) {
        uint64_t i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        if (i >= count) return;
        try {
            (*body)(i);
        } catch (const Failure& thrown) {
            std::lock_guard hold(lock);
            if (i < failed_at) {
                failed_at = i;
                failure = thrown;
            }
            __atomic_store_n(&next, count, __ATOMIC_RELAXED);
        }
    }
}

}  // namespace asni::sim

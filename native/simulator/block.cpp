#include "block.h"

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace asni::sim {

thread_local const Thread* current __attribute__((tls_model("initial-exec"))) = nullptr;
thread_local BlockRunner* runner __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

constexpr unsigned max_threads = 1024;

// Some set bit of bits, chosen by the random number.
unsigned some_bit(uint32_t bits, unsigned random) {
    unsigned shift = random & 31;
    uint32_t turned = bits >> shift | bits << ((32 - shift) & 31);
    return (unsigned(__builtin_ctz(turned)) + shift) & 31;
}

}  // namespace

BlockRunner::BlockRunner() {
    size_t bytes = Fiber::stack_bytes * max_threads;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail_call(CUDA_ERROR_OUT_OF_MEMORY, "the machine has no memory left for the simulator's stacks");
    stacks = static_cast<char*>(memory);
    threads.resize(max_threads);
    waiting.resize(max_threads);
    warps.resize(max_threads / 32);
}

BlockRunner::~BlockRunner() { munmap(stacks, Fiber::stack_bytes * max_threads); }

Fiber* BlockRunner::free_fiber() {
    if (idle_fibers.empty()) {
        unsigned index = unsigned(fibers.size());
        char* stack = stacks + Fiber::stack_bytes * index;
        mprotect(stack, 4096, PROT_NONE);
        fibers.push_back(std::make_unique<Fiber>(stack, index));
        fibers.back()->start(fiber_main);
        return fibers.back().get();
    }
    Fiber* fiber = idle_fibers.back();
    idle_fibers.pop_back();
    return fiber;
}

void BlockRunner::begin(const Launch& next, uint64_t block_number) {
    Index3 size = next.block;
    unsigned count = size.x * size.y * size.z;
    launch = &next;
    if (launch_number != next.number) {
        launch_number = next.number;
        thread_count = count;
        warp_count = (count + 31) / 32;
        for (unsigned i = 0; i < count; i++) {
            threads[i] = {{i % size.x, i / size.x % size.y, i / (size.x * size.y)}, i % 32, i / 32, {}, size, next.grid};
        }
    }
    block_index = {unsigned(block_number % next.grid.x), unsigned(block_number / next.grid.x % next.grid.y),
        unsigned(block_number / (uint64_t(next.grid.x) * next.grid.y))};
    for (unsigned w = 0; w < warp_count; w++) {
        unsigned lanes = count - w * 32;
        Warp& warp = warps[w];
        warp.present = warp.ready = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
        warp.finished = warp.at_barrier = 0;
        warp.meetings.clear();
    }
    ready_warps = warp_count == 32 ? 0xffffffffu : (1u << warp_count) - 1;
    memset(waiting.data(), 0, count * sizeof(Fiber*));
    finished_count = barrier_arrived = barrier_true = 0;
    warp_now = 0;
}

void BlockRunner::run(const Launch& next, uint64_t block_number, uint64_t seed) {
    random = Random(seed);
    begin(next, block_number);
    dynamic_shared = shared.begin_block(next.dynamic_shared_bytes, seed);
    if (setjmp(escape) == 0) {
        running = true;
        if (pick_next()) {
            fiber_now = free_fiber();
            main_fiber.switch_to(*fiber_now);
        }
        running = false;
        return;
    }
    // A thread failed. What the fibers were doing is forgotten: every one starts afresh.
    running = false;
    idle_fibers.clear();
    for (auto& fiber : fibers) {
        fiber->start(fiber_main);
        idle_fibers.push_back(fiber.get());
    }
    throw failure;
}

// A fiber's life: run the thread that was picked, then the next, on other fibers' behalf too, until none is left.
void BlockRunner::fiber_main() {
    for (;;) {
        BlockRunner& self = *runner;
        self.threads[self.thread_now].block = self.block_index;
        current = &self.threads[self.thread_now];
        self.launch->kernel->run(self.launch->args.data());
        self.finish_thread();
    }
}

void BlockRunner::finish_thread() {
    warps[thread_now / 32].finished |= 1u << thread_now % 32;
    finished_count++;
    if (!pick_next()) {
        if (finished_count < thread_count) fail_stuck();
        idle_fibers.push_back(fiber_now);
        fiber_now->switch_to(main_fiber);
        return;
    }
    if (waiting[thread_now] == nullptr) return;
    idle_fibers.push_back(fiber_now);
    continue_next();
}

// Picks a thread that can run: one of the warp at hand while it has any, for the cache's sake, else one of some other warp.
bool BlockRunner::pick_next() {
    if (ready_warps == 0) return false;
    unsigned chance = unsigned(random.next());
    if ((ready_warps >> warp_now & 1) == 0) warp_now = some_bit(ready_warps, chance >> 8);
    Warp& warp = warps[warp_now];
    unsigned lane = some_bit(warp.ready, chance);
    warp.ready &= ~(1u << lane);
    if (warp.ready == 0) ready_warps &= ~(1u << warp_now);
    thread_now = warp_now * 32 + lane;
    return true;
}

// Leaves this fiber for that of the thread that was picked; comes back when somebody picks a thread that waits on this one.
void BlockRunner::continue_next() {
    Fiber* from = fiber_now;
    Fiber* next = waiting[thread_now];
    waiting[thread_now] = nullptr;
    fiber_now = next != nullptr ? next : free_fiber();
    if (fiber_now != from) from->switch_to(*fiber_now);
}

void BlockRunner::wait() {
    unsigned me = thread_now;
    waiting[me] = fiber_now;
    if (!pick_next()) fail_stuck();
    continue_next();
    current = &threads[me];
}

void BlockRunner::release(unsigned warp, uint32_t lanes) {
    if (lanes == 0) return;
    warps[warp].ready |= lanes;
    ready_warps |= 1u << warp;
}

int BlockRunner::barrier(bool predicate) {
    barrier_arrived++;
    barrier_true += predicate;
    warps[thread_now / 32].at_barrier |= 1u << thread_now % 32;
    if (barrier_arrived == thread_count) {
        barrier_result = int(barrier_true);
        barrier_arrived = barrier_true = 0;
        shared.races.barrier();
        // Everybody may go on, in any order; who came last has no precedence.
        for (unsigned w = 0; w < warp_count; w++) {
            release(w, warps[w].at_barrier);
            warps[w].at_barrier = 0;
        }
    }
    wait();
    return barrier_result;
}

void BlockRunner::warp_operation(uint32_t mask, const char* name, void* mine, WarpOperation operation) {
    Warp& warp = warps[thread_now / 32];
    uint32_t bit = 1u << thread_now % 32;
    mask &= warp.present;
    if ((mask & bit) == 0) fail("%s with mask 0x%08x, which leaves out the calling lane", name, mask);
    Meeting* meeting = nullptr;
    for (Meeting& each : warp.meetings) {
        if ((each.mask & mask) == 0) continue;
        if (each.mask != mask || each.operation != operation || strcmp(each.name, name) != 0) {
            fail("%s with mask 0x%08x while other lanes of the warp wait at %s with mask 0x%08x", name, mask, each.name, each.mask);
        }
        meeting = &each;
    }
    if (meeting == nullptr) {
        meeting = &warp.meetings.emplace_back();
        meeting->mask = mask;
        meeting->name = name;
        meeting->operation = operation;
        memset(meeting->data, 0, sizeof meeting->data);
    }
    meeting->arrived |= bit;
    meeting->data[thread_now % 32] = mine;
    if (meeting->arrived != mask) {
        wait();
        return;
    }
    operation(meeting->data);
    if (meeting != &warp.meetings.back()) *meeting = warp.meetings.back();
    warp.meetings.pop_back();
    release(thread_now / 32, mask & ~bit);
}

void BlockRunner::warp_barrier(uint32_t mask) {
    warp_operation(mask, "__syncwarp", nullptr, [](void* const*) { runner->shared.races.warp_barrier(runner->warp_now); });
}

void BlockRunner::abandon_access(const char* wrong, unsigned other, uintptr_t address) {
    std::string text = wrong;
    if (other != thread_now) text += " of thread " + place_of(other);
    abandon(CUDA_ERROR_LAUNCH_FAILED, text + ", " + shared.describe(address));
}

void* BlockRunner::shared_memory(SharedArray& array) {
    void* memory = nullptr;
    try {
        memory = shared.get(array);
    } catch (const Failure& failure) {
        // An exception would end at the fiber's first frame.
        fail("%s", failure.text.c_str());
    }
    if (memory == nullptr) fail("static shared arrays take more than 48 KiB together");
    return memory;
}

std::string BlockRunner::place_of(unsigned thread) const {
    const Thread& t = threads[thread];
    char text[64];
    snprintf(text, sizeof text, "(%u,%u,%u)", t.index.x, t.index.y, t.index.z);
    return text;
}

// Nothing can run and not everything is finished: some threads wait for others that will never come.
void BlockRunner::fail_stuck() {
    std::string text;
    unsigned missing = thread_count;
    for (unsigned i = 0; i < thread_count; i++) {
        const Warp& warp = warps[i / 32];
        uint32_t bit = 1u << i % 32;
        for (const Meeting& meeting : warp.meetings) {
            if ((meeting.arrived & bit) == 0 || !text.empty()) continue;
            uint32_t absent = meeting.mask & ~meeting.arrived;
            unsigned lane = unsigned(__builtin_ctz(absent));
            text = std::string(meeting.name) + " is not reached by all its lanes: thread " + place_of(i) + " waits for lane " +
                std::to_string(lane) + ((warp.finished >> lane & 1) != 0 ? ", which has finished" : ", which waits at a barrier");
        }
        if ((warp.at_barrier & bit) == 0) missing = i;
    }
    if (text.empty()) {
        bool finished = (warps[missing / 32].finished >> missing % 32 & 1) != 0;
        text = "__syncthreads is reached by " + std::to_string(barrier_arrived) + " of " + std::to_string(thread_count) + " threads: thread " +
            place_of(missing) + (finished ? " has finished without it" : " waits elsewhere");
    }
    abandon(CUDA_ERROR_LAUNCH_FAILED, text);
}

void BlockRunner::abandon(CUresult code, const std::string& what) {
    char place[192];
    snprintf(place, sizeof place, "kernel %s, block (%u,%u,%u), thread ", launch->kernel->name, block_index.x, block_index.y, block_index.z);
    failure = {code, place + place_of(thread_now) + ": " + what};
    // The fibers' frames are not unwound: kernels own nothing, and a text or two of ours may leak.
    longjmp(escape, 1);
}

std::string BlockRunner::describe(uintptr_t address) const {
    for (auto& fiber : fibers) {
        if (fiber->in_guard(address)) return "a stack overflow: the thread's local arrays are too big for the simulator";
    }
    return shared.describe(address);
}

// What kernels call.
int barrier(bool predicate) { return runner->barrier(predicate); }

void warp_operation(uint32_t mask, const char* name, void* mine, WarpOperation operation) {
    runner->warp_operation(mask, name, mine, operation);
}

void warp_barrier(uint32_t mask) { runner->warp_barrier(mask); }

void fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

void warp_exchange(const void* mine, size_t size, void* all) {
    struct Each { const void* mine; size_t size; void* all; } each{mine, size, all};
    warp_operation(0xffffffffu, "warp_exchange", &each, [](void* const lanes[32]) {
        for (int to = 0; to < 32; to++) {
            if (lanes[to] == nullptr) continue;
            Each& target = *static_cast<Each*>(lanes[to]);
            for (int from = 0; from < 32; from++) {
                char* slot = static_cast<char*>(target.all) + from * target.size;
                if (lanes[from] != nullptr) memcpy(slot, static_cast<Each*>(lanes[from])->mine, target.size);
                else memset(slot, 0xf5, target.size);
            }
        }
    });
}

void* shared_memory(SharedArray& array) { return runner->shared_memory(array); }

void* dynamic_shared_memory() {
    void* memory = runner->dynamic_shared_memory();
    if (memory == nullptr) fail("the kernel uses dynamic shared memory, and the launch gave none");
    return memory;
}

void fail(const char* format, ...) {
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    runner->abandon(CUDA_ERROR_LAUNCH_FAILED, text);
}

}  // namespace asni::sim

#include "launch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "block.h"
#include "memory.h"
#include "workers.h"

namespace asni::sim {

namespace {

// Made on first use: kernels register while other files' globals may not be constructed yet.
std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

uint64_t number_from(const char* variable, uint64_t otherwise) {
    const char* value = getenv(variable);
    return value == nullptr || *value == 0 ? otherwise : strtoull(value, nullptr, 10);
}

std::mutex lock;  // one launch at a time
uint64_t seed = number_from("ASNI_SIM_SEED", 1);
uint64_t launch_count = 0;
std::chrono::milliseconds time_limit{1000 * number_from("ASNI_SIM_TIMEOUT", 120)};

uint64_t mixed(uint64_t a, uint64_t b) { return Random(a * 0x9e3779b97f4a7c15ull + b).next(); }

// Blocks in an order drawn from the seed: no kernel may count on theirs.
std::vector<uint64_t> block_order(uint64_t count, Random random) {
    std::vector<uint64_t> order(count);
    for (uint64_t i = 0; i < count; i++) order[i] = i;
    for (uint64_t i = count; i > 1; i--) std::swap(order[i - 1], order[random.next() % i]);
    return order;
}

}  // namespace

Registration::Registration(const Kernel& kernel) {
    if (!kernels().emplace(kernel.name, kernel).second) {
        fprintf(stderr, "asni simulator: two kernels are called %s\n", kernel.name);
        abort();
    }
}

const Kernel* find_kernel(const char* name) {
    auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second;
}

void set_seed(uint64_t value) {
    std::lock_guard hold(lock);
    seed = value;
    launch_count = 0;
}

void set_time_limit(uint64_t milliseconds) {
    std::lock_guard hold(lock);
    time_limit = std::chrono::milliseconds(milliseconds);
}

void run(Launch launch) {
    std::lock_guard hold(lock);
    // Never destroyed: its threads wait in it while the process ends.
    static Workers& workers = *new Workers(unsigned(number_from("ASNI_SIM_THREADS", std::min(4l, sysconf(_SC_NPROCESSORS_ONLN)))));
    static uint64_t number = 0;
    launch.number = ++number;
    uint64_t launch_seed = mixed(seed, ++launch_count);
    uint64_t count = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
    std::vector<uint64_t> order = block_order(count, Random(launch_seed));
    workers.run(count, time_limit, [&](uint64_t i) { runner->run(launch, order[i], mixed(launch_seed, order[i])); });
    try {
        check_slack();
    } catch (Failure& failure) {
        failure.text = std::string("kernel ") + launch.kernel->name + ": " + failure.text;
        throw;
    }
}

}  // namespace asni::sim

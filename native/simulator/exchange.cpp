// The functions of NCCL that Asni calls, between ranks that are threads of one process, each with streams of its own: by the definition of what they do, in the
// stream's order. A rank's stream waits, as on a GPU, until the others have come as far.
#include <condition_variable>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "error.h"
#include "memory.h"
#include "stream.h"

using namespace asni::sim;

namespace {

constexpr int invalid_argument = 4, invalid_usage = 5;
constexpr int float32 = 7, sum = 0;
constexpr auto patience = std::chrono::seconds(60);

struct UniqueId {
    char bytes[128];
};

enum class Kind { gather, reduce, group };

struct Message {
    bool sends;
    int peer;
    uint64_t address;
    size_t count;
};

// What one rank gives to an exchange, or takes from it.
struct Part {
    Kind kind = Kind::group;
    uint64_t from = 0, to = 0;
    size_t count = 0;
    std::vector<Message> messages;
};

// Ranks of one communicator. All under the driver's lock.
struct World {
    int size = 0, joined = 0;
    uint64_t done = 0;  // exchanges
    int arrived = 0;
    std::vector<Part> parts;
    std::vector<bool> here;
    std::string failure;
};

struct Communicator {
    std::shared_ptr<World> world;
    int rank;
};

std::map<std::string, std::shared_ptr<World>> worlds;
std::condition_variable_any moved;
uint64_t ids = 0;

struct Group {
    int depth = 0;
    Communicator* communicator = nullptr;
    Stream* stream = nullptr;
    Part part;
};

thread_local Group group;

Communicator* communicator_of(void* handle) {
    if (handle == nullptr) fail_call(CUDA_ERROR_INVALID_HANDLE, "NCCL: a communicator is null");
    return static_cast<Communicator*>(handle);
}

float* floats(uint64_t address) { return reinterpret_cast<float*>(address); }

void require_float(int type, const char* call) {
    if (type != float32) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: data type %d", call, type);
}

void deliver(World& world) {
    for (int to = 0; to < world.size; to++) {
        for (int from = 0; from < world.size; from++) {
            auto between = [](const Part& part, bool sends, int peer) {
                std::vector<Message> found;
                for (const Message& message : part.messages)
                    if (message.sends == sends && message.peer == peer) found.push_back(message);
                return found;
            };
            auto sent = between(world.parts[from], true, to), received = between(world.parts[to], false, from);
            if (sent.size() != received.size()) fail_call(CUDA_ERROR_INVALID_VALUE, "NCCL: rank %d sends %zu messages to rank %d, which takes %zu", from, sent.size(), to, received.size());
            for (size_t i = 0; i < sent.size(); i++) {
                if (sent[i].count != received[i].count) fail_call(CUDA_ERROR_INVALID_VALUE, "NCCL: rank %d sends %zu numbers to rank %d, which takes %zu", from, sent[i].count, to, received[i].count);
                memcpy(floats(received[i].address), floats(sent[i].address), sent[i].count * sizeof(float));
            }
        }
    }
}

void gather(World& world) {
    size_t count = world.parts[0].count;
    std::vector<float> all;
    for (const Part& part : world.parts) all.insert(all.end(), floats(part.from), floats(part.from) + count);
    for (const Part& part : world.parts) memcpy(floats(part.to), all.data(), all.size() * sizeof(float));
}

// From the last rank to the first, as nobody else adds.
void reduce(World& world) {
    size_t count = world.parts[0].count;
    std::vector<float> total(count);
    for (auto part = world.parts.rbegin(); part != world.parts.rend(); ++part)
        for (size_t i = 0; i < count; i++) total[i] += floats(part->from)[i];
    for (const Part& part : world.parts) memcpy(floats(part.to), total.data(), count * sizeof(float));
}

void exchange_all(World& world) {
    for (const Part& part : world.parts)
        if (part.kind != world.parts[0].kind || part.count != world.parts[0].count) fail_call(CUDA_ERROR_INVALID_VALUE, "NCCL: the ranks make different calls");
    switch (world.parts[0].kind) {
        case Kind::gather: return gather(world);
        case Kind::reduce: return reduce(world);
        case Kind::group: return deliver(world);
    }
}

void fail_all(World& world, const std::string& text) {
    if (world.failure.empty()) world.failure = text;
    moved.notify_all();
}

// Waits, with the driver free for the others, until something holds.
template <class F>
void wait_for_ranks(World& world, Stream* stream, F reached) {
    // Others wait for this stream in place of doing its work.
    if (stream != nullptr) stream->waiting = true;
    bool in_time = moved.wait_for(driver_lock, patience, [&] { return reached() || !world.failure.empty(); });
    if (stream != nullptr) {
        stream->waiting = false;
        moved.notify_all();
    }
    if (!in_time) fail_all(world, "NCCL: a rank did not come");
    if (!world.failure.empty()) fail_call(CUDA_ERROR_LAUNCH_TIMEOUT, "%s", world.failure.c_str());
}

// One rank's part of the next exchange.
void take_part(World& world, int rank, Stream* stream, const Part& part) {
    uint64_t number = world.done;
    world.parts[rank] = part;
    world.arrived++;
    if (world.arrived < world.size) {
        wait_for_ranks(world, stream, [&] { return world.done > number; });
        return;
    }
    world.arrived = 0;
    try {
        exchange_all(world);
    } catch (const Failure& failure) {
        fail_all(world, failure.text);
        throw;
    }
    world.done++;
    moved.notify_all();
}

void require_part(const Part& part, int size, const char* call) {
    size_t bytes = part.count * sizeof(float);
    if (part.kind != Kind::group) {
        require_device_range(part.from, bytes, call);
        require_device_range(part.to, part.kind == Kind::gather ? bytes * size_t(size) : bytes, call);
    }
    for (const Message& message : part.messages) require_device_range(message.address, message.count * sizeof(float), call);
}

// Checked now and when the work is done, as the driver's own calls are.
void enqueue_part(Communicator* communicator, Stream* stream, Part part, const char* call) {
    std::shared_ptr<World> world = communicator->world;
    int rank = communicator->rank;
    require_part(part, world->size, call);
    stream->rank = std::this_thread::get_id();
    enqueue(stream, [=, part = std::move(part)] {
        require_part(part, world->size, call);
        take_part(*world, rank, stream, part);
    });
}

int collective(Kind kind, uint64_t from, uint64_t to, size_t count, int type, void* handle, void* stream, const char* call) {
    return library_call(invalid_argument, [&] {
        require_float(type, call);
        if (group.depth > 0) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: only messages are simulated in a group", call);
        Part part;
        part.kind = kind;
        part.from = from;
        part.to = to;
        part.count = count;
        enqueue_part(communicator_of(handle), stream_of(stream), part, call);
    });
}

int message(bool sends, uint64_t address, size_t count, int type, int peer, void* handle, void* stream, const char* call) {
    return library_call(invalid_argument, [&] {
        require_float(type, call);
        Communicator* communicator = communicator_of(handle);
        if (group.depth == 0) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: only messages in a group are simulated", call);
        if (peer < 0 || peer >= communicator->world->size) fail_call(CUDA_ERROR_INVALID_VALUE, "%s: there is no rank %d", call, peer);
        group.communicator = communicator;
        group.stream = stream_of(stream);
        group.part.messages.push_back({sends, peer, address, count});
    });
}

}  // namespace

namespace asni::sim {

void wait_while_others_drain(Stream* stream) {
    moved.wait(driver_lock, [=] { return !stream->waiting; });
}

}  // namespace asni::sim

ASNI_EXPORT int ncclGetVersion(int* version) {
    *version = 22809;
    return 0;
}

ASNI_EXPORT const char* ncclGetErrorString(int) { return last_error(); }
ASNI_EXPORT const char* ncclGetLastError(void*) { return last_error(); }

ASNI_EXPORT int ncclGetUniqueId(UniqueId* id) {
    return library_call(invalid_usage, [&] {
        *id = {};
        uint64_t number = ++ids;
        memcpy(id->bytes, &number, sizeof number);
    });
}

ASNI_EXPORT int ncclCommInitRank(void** handle, int size, UniqueId id, int rank) {
    return library_call(invalid_argument, [&] {
        std::shared_ptr<World>& kept = worlds[std::string(id.bytes, sizeof id.bytes)];
        if (kept == nullptr) {
            kept = std::make_shared<World>();
            kept->size = size;
            kept->parts.resize(size_t(size));
            kept->here.resize(size_t(size));
        }
        std::shared_ptr<World> world = kept;
        if (world->size != size || rank < 0 || rank >= size || world->here[rank]) fail_call(CUDA_ERROR_INVALID_VALUE, "ncclCommInitRank: rank %d of %d does not fit the others", rank, size);
        world->here[rank] = true;
        world->joined++;
        moved.notify_all();
        if (world->joined == size) worlds.erase(std::string(id.bytes, sizeof id.bytes));
        wait_for_ranks(*world, nullptr, [&] { return world->joined == size; });
        *handle = new Communicator{world, rank};
    });
}

ASNI_EXPORT int ncclGroupStart() {
    group.depth++;
    return 0;
}

ASNI_EXPORT int ncclGroupEnd() {
    if (group.depth == 0) return invalid_usage;
    if (--group.depth > 0 || group.communicator == nullptr) return 0;
    Group ended = std::exchange(group, {});
    return library_call(invalid_argument, [&] { enqueue_part(ended.communicator, ended.stream, std::move(ended.part), "ncclGroupEnd"); });
}

ASNI_EXPORT int ncclSend(uint64_t from, size_t count, int type, int to, void* handle, void* stream) {
    return message(true, from, count, type, to, handle, stream, "ncclSend");
}

ASNI_EXPORT int ncclRecv(uint64_t to, size_t count, int type, int from, void* handle, void* stream) {
    return message(false, to, count, type, from, handle, stream, "ncclRecv");
}

ASNI_EXPORT int ncclAllGather(uint64_t own, uint64_t all, size_t count, int type, void* handle, void* stream) {
    return collective(Kind::gather, own, all, count, type, handle, stream, "ncclAllGather");
}

ASNI_EXPORT int ncclAllReduce(uint64_t from, uint64_t to, size_t count, int type, int operation, void* handle, void* stream) {
    if (operation != sum) return invalid_argument;
    return collective(Kind::reduce, from, to, count, type, handle, stream, "ncclAllReduce");
}

#include "stream.h"

#include <cstdlib>
#include <set>

namespace asni::sim {

std::recursive_mutex driver_lock;

namespace {

std::set<Stream*> streams;
std::set<Event*> events;
std::set<Graph*> graphs, executables;
Stream legacy_stream;

bool eager() {
    static const bool value = getenv("ASNI_SIM_EAGER") != nullptr;
    return value;
}

template <class T>
T* checked(const std::set<T*>& all, void* handle, const char* what) {
    T* object = static_cast<T*>(handle);
    if (all.count(object) == 0) fail_call(CUDA_ERROR_INVALID_HANDLE, "%p is no %s of the simulator, or is destroyed", handle, what);
    return object;
}

template <class F>
CUresult locked(F body) {
    return guarded([&] {
        std::lock_guard hold(driver_lock);
        require_context();
        body();
    });
}

void drop_everything() {
    for (Stream* stream : streams) {
        stream->pending.clear();
        stream->completed = stream->issued;
    }
}

}  // namespace

Stream* stream_of(void* handle) { return handle == nullptr ? &legacy_stream : checked(streams, handle, "stream"); }

bool is_capturing(Stream* stream) { return stream->capture != nullptr; }

bool enqueue(Stream* stream, Operation operation) {
    if (stream == &legacy_stream) {
        for (Stream* each : streams) {
            if (each->capture != nullptr && each->blocking) {
                each->capture->invalid = true;
                fail_call(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "work on the null stream while a stream is being captured");
            }
        }
        synchronize_all();
        operation();
        return false;
    }
    if (stream->capture != nullptr) {
        if (stream->capture->invalid) fail_call(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture failed before this call");
        stream->capture->operations.push_back(std::move(operation));
        stream->captured++;
        stream->joined = stream == stream->capture->origin;
        return true;
    }
    stream->pending.push_back(std::move(operation));
    stream->issued++;
    if (eager()) drain(stream);
    return false;
}

void drain(Stream* stream, uint64_t position) {
    auto has_more = [=] {
        if (stream->waiting) wait_while_others_drain(stream);
        return stream->completed < position && !stream->pending.empty();
    };
    while (has_more()) {
        Operation operation = std::move(stream->pending.front());
        stream->pending.pop_front();
        stream->completed++;
        try {
            operation();
        } catch (const Failure&) {
            // As on a GPU, nothing that was in flight survives an error; unlike there, later work may.
            drop_everything();
            throw;
        }
    }
}

void synchronize_all() {
    for (Stream* stream : streams)
        if (stream->rank == std::thread::id{} || stream->rank == std::this_thread::get_id()) drain(stream);
}

void require_no_capture(const char* call) {
    for (Stream* stream : streams) {
        Capture* capture = stream->capture.get();
        if (capture == nullptr) continue;
        if (capture->mode == 0 || (capture->mode == 1 && capture->owner == std::this_thread::get_id())) {
            capture->invalid = true;
            fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "%s while a stream is being captured", call);
        }
    }
}

}  // namespace asni::sim

using namespace asni::sim;

ASNI_EXPORT CUresult cuStreamCreate(void** handle, unsigned flags) {
    return locked([&] {
        Stream* stream = new Stream;
        stream->blocking = (flags & 1) == 0;
        streams.insert(stream);
        *handle = stream;
    });
}

ASNI_EXPORT CUresult cuStreamDestroy_v2(void* handle) {
    return locked([&] {
        Stream* stream = checked(streams, handle, "stream");
        drain(stream);
        streams.erase(stream);
        for (Event* event : events) {
            // Everything before the event is done.
            if (event->stream == stream) event->stream = &legacy_stream;
        }
        delete stream;
    });
}

ASNI_EXPORT CUresult cuStreamSynchronize(void* handle) {
    return locked([&] {
        Stream* stream = stream_of(handle);
        if (is_capturing(stream)) {
            stream->capture->invalid = true;
            fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuStreamSynchronize of a stream that is being captured");
        }
        if (handle == nullptr) synchronize_all();
        else drain(stream);
    });
}

ASNI_EXPORT CUresult cuStreamQuery(void* handle) {
    CUresult result = CUDA_SUCCESS;
    CUresult failed = locked([&] {
        Stream* stream = stream_of(handle);
        // Time passes by asking: each question finds one more operation done.
        if (!stream->pending.empty()) {
            result = CUDA_ERROR_NOT_READY;
            drain(stream, stream->completed + 1);
        }
    });
    return failed != CUDA_SUCCESS ? failed : result;
}

ASNI_EXPORT CUresult cuStreamWaitEvent(void* handle, void* event_handle, unsigned) {
    return locked([&] {
        Stream* stream = stream_of(handle);
        Event* event = checked(events, event_handle, "event");
        if (event->capture != nullptr) {
            Stream* source = event->stream;
            if (stream->capture == nullptr) stream->capture = event->capture;
            if (stream->capture != event->capture) fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the event belongs to another capture");
            if (source != stream && event->captured == source->captured) source->joined = true;
            return;
        }
        if (is_capturing(stream)) fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a captured stream waits for an event outside the capture");
        Stream* source = event->stream;
        uint64_t position = event->position;
        if (source != nullptr) {
            enqueue(stream, [=] {
                if (source == &legacy_stream || streams.count(source) != 0) drain(source, position);
            });
        }
    });
}

ASNI_EXPORT CUresult cuStreamIsCapturing(void* handle, int* status) {
    return locked([&] {
        Stream* stream = stream_of(handle);
        *status = !is_capturing(stream) ? 0 : stream->capture->invalid ? 2 : 1;
    });
}

ASNI_EXPORT CUresult cuStreamBeginCapture_v2(void* handle, int mode) {
    return locked([&] {
        if (handle == nullptr) fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the null stream cannot be captured");
        Stream* stream = stream_of(handle);
        if (is_capturing(stream)) fail_call(CUDA_ERROR_INVALID_VALUE, "the stream is being captured already");
        stream->capture = std::make_shared<Capture>(Capture{stream, mode, std::this_thread::get_id(), false, {}});
    });
}

ASNI_EXPORT CUresult cuStreamEndCapture(void* handle, void** graph) {
    return locked([&] {
        *graph = nullptr;
        std::shared_ptr<Capture> capture = stream_of(handle)->capture;
        if (capture == nullptr || capture->origin != handle) fail_call(CUDA_ERROR_INVALID_VALUE, "no capture began on this stream");
        bool joined = true;
        for (Stream* stream : streams) {
            if (stream->capture != capture) continue;
            joined &= stream->joined;
            stream->joined = true;
            stream->capture = nullptr;
        }
        if (capture->invalid) fail_call(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "a call during the capture was not allowed");
        if (!joined) fail_call(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "work of a forked stream is not waited for by the captured one");
        Graph* made = new Graph{std::move(capture->operations)};
        graphs.insert(made);
        *graph = made;
    });
}

ASNI_EXPORT CUresult cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    return locked([&] {
        Graph* graph = checked(graphs, handle, "graph");
        if (nodes != nullptr) fail_call(CUDA_ERROR_INVALID_VALUE, "the simulator tells only the number of nodes");
        *count = graph->operations.size();
    });
}

ASNI_EXPORT CUresult cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
    return locked([&] {
        Graph* made = new Graph(*checked(graphs, handle, "graph"));
        executables.insert(made);
        *executable = made;
    });
}

ASNI_EXPORT CUresult cuGraphLaunch(void* handle, void* stream) {
    return locked([&] {
        Graph* executable = checked(executables, handle, "executable graph");
        enqueue(stream_of(stream), [executable] {
            for (const Operation& operation : executable->operations) operation();
        });
    });
}

ASNI_EXPORT CUresult cuGraphDestroy(void* handle) {
    return locked([&] {
        Graph* graph = checked(graphs, handle, "graph");
        graphs.erase(graph);
        delete graph;
    });
}

ASNI_EXPORT CUresult cuGraphExecDestroy(void* handle) {
    return locked([&] {
        Graph* executable = checked(executables, handle, "executable graph");
        synchronize_all();  // a launch of it may be waiting
        executables.erase(executable);
        delete executable;
    });
}

ASNI_EXPORT CUresult cuEventCreate(void** handle, unsigned) {
    return locked([&] {
        Event* event = new Event;
        events.insert(event);
        *handle = event;
    });
}

ASNI_EXPORT CUresult cuEventDestroy_v2(void* handle) {
    return locked([&] {
        Event* event = checked(events, handle, "event");
        synchronize_all();  // its record may be waiting
        events.erase(event);
        delete event;
    });
}

ASNI_EXPORT CUresult cuEventRecord(void* handle, void* stream_handle) {
    return locked([&] {
        Event* event = checked(events, handle, "event");
        Stream* stream = stream_of(stream_handle);
        event->stream = stream;
        event->capture = stream->capture;
        event->captured = stream->captured;
        event->reached = false;
        if (is_capturing(stream)) return;
        event->position = stream->issued + 1;
        enqueue(stream, [event] {
            event->reached = true;
            event->time = std::chrono::steady_clock::now();
        });
    });
}

ASNI_EXPORT CUresult cuEventSynchronize(void* handle) {
    return locked([&] {
        Event* event = checked(events, handle, "event");
        if (event->capture != nullptr) fail_call(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuEventSynchronize of an event recorded in a capture");
        if (event->stream != nullptr) drain(event->stream, event->position);
    });
}

ASNI_EXPORT CUresult cuEventQuery(void* handle) {
    CUresult result = CUDA_SUCCESS;
    CUresult failed = locked([&] {
        Event* event = checked(events, handle, "event");
        if (event->stream == nullptr || event->reached) return;
        result = CUDA_ERROR_NOT_READY;
        drain(event->stream, event->stream->completed + 1);
    });
    return failed != CUDA_SUCCESS ? failed : result;
}

ASNI_EXPORT CUresult cuEventElapsedTime(float* milliseconds, void* start_handle, void* end_handle) {
    CUresult result = CUDA_SUCCESS;
    CUresult failed = locked([&] {
        Event* start = checked(events, start_handle, "event");
        Event* end = checked(events, end_handle, "event");
        if (start->stream == nullptr || end->stream == nullptr) fail_call(CUDA_ERROR_INVALID_HANDLE, "an event was never recorded");
        if (!start->reached || !end->reached) result = CUDA_ERROR_NOT_READY;
        else *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    });
    return failed != CUDA_SUCCESS ? failed : result;
}

// Looks at every access to shared memory for two mistakes: reading what nobody in the block has written, and touching what another thread
// touches with no barrier between, whatever the order of threads happened to be. Kernels are compiled with -fsanitize=thread, whose calls
// before each access come here; its own library is not linked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace asni::sim {

enum class Access { read, write, atomic };

class RaceChecker {
public:
    // Watches addresses from low on.
    void watch(uintptr_t low, size_t bytes);

    void begin_block();
    void barrier() { epoch++; }
    void warp_barrier(unsigned warp) { warp_epochs[warp]++; }

    // What is wrong with the access, empty when nothing is; the address lies in the watched range. other is set to the other thread of a race.
    const char* check(uintptr_t address, size_t bytes, Access access, unsigned thread, unsigned& other);

private:
    // The latest write and reads of 4 bytes.
    struct Word {
        uint32_t write_epoch, read_epoch, write_warp_epoch, read_warp_epoch;
        uint16_t writer, reader;
        uint8_t initialised, write_mask, read_mask;
        uint8_t atomic : 1, several_readers : 1, several_warps : 1;
    };

    const char* check_word(Word& word, uint8_t mask, Access access, unsigned thread, unsigned& other);
    bool ordered(unsigned thread, unsigned other, uint32_t then) const;

    uintptr_t low = 0;
    Word* words = nullptr;
    // Count up over all blocks, so that nothing has to be cleared for the next.
    uint32_t epoch = 1, block_epoch = 1;
    uint32_t warp_epochs[32] = {};
};

// The addresses that the running machine thread's kernels have shared memory at; empty outside kernels and when checks are off.
struct SharedWindow { uintptr_t low, bytes; };
extern thread_local SharedWindow shared_window __attribute__((tls_model("initial-exec")));

// Off: mistakes show in the results alone.
void set_checks(bool on);
bool checks_on();

}  // namespace asni::sim

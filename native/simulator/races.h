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
    // The latest write and reads of 4 bytes. The checks are inline, because simulated networks spend their time in them.
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

// Whether what other did then, in this epoch of the block, is before what thread does now.
inline bool RaceChecker::ordered(unsigned thread, unsigned other, uint32_t then) const {
    return thread == other || (thread / 32 == other / 32 && then < warp_epochs[thread / 32]);
}

inline __attribute__((always_inline)) const char* RaceChecker::check_word(Word& word, uint8_t mask, Access access, unsigned thread, unsigned& other) {
    // Most reads are of what several warps have read since the last barrier: one more changes nothing.
    if (access == Access::read && word.read_epoch == epoch && word.several_warps && (word.read_mask & mask) == mask && word.write_epoch != epoch) {
        return nullptr;
    }
    bool written = word.write_epoch >= block_epoch;
    uint8_t initialised = written ? word.initialised : 0;
    bool needs_value = access != Access::write;
    if (needs_value && (initialised & mask) != mask) return "a read of shared memory that the block has not written";
    if (word.write_epoch == epoch && (word.write_mask & mask) != 0 && !(access == Access::atomic && word.atomic) &&
        !ordered(thread, word.writer, word.write_warp_epoch)) {
        other = word.writer;
        return access == Access::read ? "a race: no barrier between this read and the write" : "a race: no barrier between this write and the write";
    }
    bool read_now = word.read_epoch == epoch;
    if (access == Access::read) {
        uint32_t warp_epoch = warp_epochs[thread / 32];
        if (!read_now) {
            word.read_mask = 0;
            word.several_readers = word.several_warps = 0;
        } else if (word.reader != thread) {
            word.several_readers = 1;
            if (word.reader / 32 != thread / 32) word.several_warps = 1;
        }
        word.read_epoch = epoch;
        word.reader = uint16_t(thread);
        word.read_warp_epoch = warp_epoch;
        word.read_mask |= mask;
        return nullptr;
    }
    if (read_now && (word.read_mask & mask) != 0) {
        bool others_read = word.several_readers || word.reader != thread;
        bool before = !word.several_warps && word.reader / 32 == thread / 32 && word.read_warp_epoch < warp_epochs[thread / 32];
        if (others_read && !before) {
            other = word.reader;
            return "a race: no barrier between this write and the read";
        }
    }
    word.initialised = initialised | mask;
    word.write_mask = word.write_epoch == epoch && word.writer == thread ? word.write_mask | mask : mask;
    word.write_epoch = epoch;
    word.writer = uint16_t(thread);
    word.write_warp_epoch = warp_epochs[thread / 32];
    word.atomic = access == Access::atomic;
    return nullptr;
}

inline __attribute__((always_inline)) const char* RaceChecker::check(uintptr_t address, size_t bytes, Access access, unsigned thread,
                                                                     unsigned& other) {
    const char* wrong = nullptr;
    if ((address | bytes) % 4 == 0) {
        Word* word = words + (address - low) / 4;
        for (size_t i = 0; i < bytes / 4 && wrong == nullptr; i++) wrong = check_word(word[i], 0xf, access, thread, other);
        return wrong;
    }
    uintptr_t first = address & ~uintptr_t(3), end = address + bytes;
    for (uintptr_t word = first; word < end && wrong == nullptr; word += 4) {
        unsigned from = word < address ? unsigned(address - word) : 0, to = end - word < 4 ? unsigned(end - word) : 4;
        uint8_t mask = uint8_t((1u << to) - (1u << from));
        wrong = check_word(words[(word - low) / 4], mask, access, thread, other);
    }
    return wrong;
}

// The addresses that the running machine thread's kernels have shared memory at; empty outside kernels and when checks are off.
struct SharedWindow { uintptr_t low, bytes; };
extern thread_local SharedWindow shared_window __attribute__((tls_model("initial-exec")));

// Off: mistakes show in the results alone.
void set_checks(bool on);
bool checks_on();

}  // namespace asni::sim

// A small generator for orders and fill patterns (splitmix64).
#pragma once

#include <cstdint>

namespace asni::sim {

class Random {
public:
    explicit Random(uint64_t seed) : state(seed) {}

    uint64_t next() {
        uint64_t z = state += 0x9e3779b97f4a7c15ull;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        return z ^ z >> 31;
    }

    // Below n, which is small beside 2^32.
    unsigned below(unsigned n) { return unsigned((next() >> 32) * n >> 32); }

private:
    uint64_t state;
};

}  // namespace asni::sim

// What the driver's twin asks of a module's PTX, which it does not run: the kernels that it names, and their static shared memory.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace asni::sim {

class Ptx {
public:
    explicit Ptx(std::string text);
    Ptx(const Ptx&) = delete;  // its parts point into the text

    // Whether the text has this kernel. Text without any .entry stands for all kernels of the library.
    bool declares(const std::string& kernel) const { return bodies.empty() || bodies.count(kernel) != 0; }

    // Bytes of the static shared arrays that the kernel's code names, each behind the last as its alignment asks; 0 for text without kernels.
    // Dynamic memory lies behind them as its own alignment asks: a driver counts the gap as static memory.
    unsigned static_shared_bytes(const std::string& kernel) const;

private:
    // ".shared .align 16 .b8 NAME[1024];". Dynamic memory's has no size.
    struct Array {
        std::string_view name;
        unsigned alignment, bytes;
        bool dynamic;
    };

    std::string text;
    std::vector<Array> arrays;
    std::map<std::string, std::string_view, std::less<>> bodies;
};

}  // namespace asni::sim

// The simplest kernels: a value over a range, and a sum of two ranges. They also prove the tool chain end to end.
#include "asni/cuda.h"

using namespace asni;

struct FillArgs {
    uint32_t* y;
    int64_t n;
    uint32_t value;
};

ASNI_KERNEL(fill32, FillArgs, 256) {
    for (int64_t i = grid_thread(); i < args.n; i += grid_threads()) args.y[i] = args.value;
}

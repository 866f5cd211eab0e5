// Each of the instructions in asni/mma.h by itself, one warp, operands from memory by lane and register.
#include "asni/cuda.h"
#include "asni/mma.h"

using namespace asni;

struct TestMmaArgs {
    const uint32_t* a;  // 4 a lane
    const uint32_t* b;  // 2 a lane
    float* d;           // 4 a lane, added to
};

template <class F>
ASNI_DEVICE void one_mma(const TestMmaArgs& args, F instruction) {
    int lane = lane_index();
    uint32_t a[4], b[2];
    float d[4];
    for (int i = 0; i < 4; i++) a[i] = args.a[lane * 4 + i];
    for (int i = 0; i < 2; i++) b[i] = args.b[lane * 2 + i];
    for (int i = 0; i < 4; i++) d[i] = args.d[lane * 4 + i];
    instruction(d, a, b);
    for (int i = 0; i < 4; i++) args.d[lane * 4 + i] = d[i];
}

ASNI_KERNEL(test_mma_bf16, TestMmaArgs, 32) {
    one_mma(args, [](float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16(d, a, b); });
}

ASNI_KERNEL(test_mma_tf32, TestMmaArgs, 32) {
    one_mma(args, [](float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_tf32(d, a, b); });
}

struct TestLdMatrixArgs {
    const uint16_t* x;  // 32 rows of 8
    uint32_t* y;        // 4 a lane, then 4 a lane of the transposed form
    const uint32_t* wait;  // 0: forget to wait for the copies
};

// The rows come through cp.async, row 31 as one that is not valid.
ASNI_KERNEL(test_ldmatrix, TestLdMatrixArgs, 32) {
    ASNI_SHARED(uint16_t, rows, 32 * 8);
    int lane = lane_index();
    SharedAddress row = SharedAddress::of(rows + lane * 8);
    AsyncCopies copies;
    copies.copy16(row, args.x + lane * 8, lane != 31);
    copies.commit();
    if (*args.wait != 0) copies.wait<0>();
    __syncwarp();
    uint32_t values[4], transposed[4];
    ldmatrix_x4(values, row);
    ldmatrix_x4_transposed(transposed, row);
    for (int i = 0; i < 4; i++) {
        args.y[lane * 4 + i] = values[i];
        args.y[128 + lane * 4 + i] = transposed[i];
    }
}

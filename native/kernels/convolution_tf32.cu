// Convolution and fully connected layers in tf32 on tensor cores: fp32 in memory, products of 10-bit mantissas, fp32 accumulation.
// convolution_<pass>_tf32_<tile rows>x<tile columns>[_any]; _any takes channel counts that are not multiples of 4.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

// Tile, bytes of inner indices a stage, warps down and across, stages, blocks a multiprocessor.
#define ASNI_TF32(m, n, bytes, warps_m, warps_n, stages, blocks, aligned, suffix)                                                   \
    ASNI_KERNEL(convolution_forward_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {                     \
        convolution_tile<ForwardPass, MmaTile<float, m, n, bytes, warps_m, warps_n, true, true>, stages, aligned>(args);            \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_data_gradient_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {               \
        convolution_tile<DataGradientPass, MmaTile<float, m, n, bytes, warps_m, warps_n, true, false>, stages, aligned>(args);      \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_weight_gradient_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {             \
        convolution_tile<WeightGradientPass, MmaTile<float, m, n, bytes, warps_m, warps_n, false, false>, stages, aligned>(args);   \
    }

// A warp's 64x64 sums need the fewest reads of shared memory a product and about 200 registers a thread; its 32x32 sums suit small results.
ASNI_TF32(256, 128, 64, 4, 2, 4, 1, true, )
ASNI_TF32(256, 64, 64, 4, 1, 4, 2, true, )
ASNI_TF32(128, 128, 64, 2, 2, 4, 2, true, )
ASNI_TF32(128, 128, 128, 2, 2, 3, 2, true, _deep)
ASNI_TF32(128, 64, 64, 2, 2, 4, 3, true, )
ASNI_TF32(64, 64, 64, 2, 2, 4, 4, true, )
ASNI_TF32(64, 64, 64, 2, 2, 4, 4, false, _any)

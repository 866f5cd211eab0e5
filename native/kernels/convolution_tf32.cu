// Convolution and fully connected layers in tf32 on tensor cores: fp32 in memory, products of 10-bit mantissas, fp32 accumulation.
// convolution_<pass>_tf32_<tile rows>x<tile columns>[_any]; _any takes channel counts that are not multiples of 4.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

#define ASNI_TF32(m, n, warps_m, warps_n, stages, blocks, aligned, suffix)                                                         \
    ASNI_KERNEL(convolution_forward_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {                     \
        convolution_tile<ForwardPass, MmaTile<float, m, n, 64, warps_m, warps_n, true, true>, stages, aligned>(args);               \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_data_gradient_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {               \
        convolution_tile<DataGradientPass, MmaTile<float, m, n, 64, warps_m, warps_n, true, false>, stages, aligned>(args);         \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_weight_gradient_tf32_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {             \
        convolution_tile<WeightGradientPass, MmaTile<float, m, n, 64, warps_m, warps_n, false, false>, stages, aligned>(args);      \
    }

ASNI_TF32(128, 128, 2, 4, 4, 2, true, )
ASNI_TF32(128, 64, 2, 2, 4, 3, true, )
ASNI_TF32(64, 64, 2, 2, 4, 4, true, )
ASNI_TF32(64, 64, 2, 2, 2, 4, false, _any)

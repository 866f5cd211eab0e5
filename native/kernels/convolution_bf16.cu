// Convolution and fully connected layers in bf16 on tensor cores (mma.sync, fp32 accumulation): forward, data gradient, weight gradient (fp32).
// convolution_<pass>_bf16_<tile rows>x<tile columns>[_any]; _any takes channel counts that are not multiples of 8.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

#define ASNI_BF16(m, n, warps_m, warps_n, stages, blocks, aligned, suffix)                                                         \
    ASNI_KERNEL(convolution_forward_bf16_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {                     \
        convolution_tile<ForwardPass, MmaTile<bf16, m, n, 64, warps_m, warps_n, true, true>, stages, aligned>(args);               \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_data_gradient_bf16_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {               \
        convolution_tile<DataGradientPass, MmaTile<bf16, m, n, 64, warps_m, warps_n, true, false>, stages, aligned>(args);         \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_weight_gradient_bf16_##m##x##n##suffix, ConvolutionArgs, warps_m * warps_n * 32, blocks) {             \
        convolution_tile<WeightGradientPass, MmaTile<bf16, m, n, 64, warps_m, warps_n, false, false>, stages, aligned>(args);      \
    }

ASNI_BF16(128, 128, 2, 4, 4, 2, true, )
ASNI_BF16(128, 64, 2, 2, 4, 3, true, )
ASNI_BF16(64, 64, 2, 2, 4, 4, true, )
ASNI_BF16(64, 64, 2, 2, 2, 4, false, _any)

// Convolution and fully connected layers in fp32 on the ordinary cores: forward, data gradient and weight gradient for any shape.
// convolution_<pass>_fp32_<tile rows>x<tile columns>[_any]; _any takes channel counts that are not multiples of 4.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

#define ASNI_FP32(m, n, tm, tn, stages, blocks, aligned, suffix)                                                                   \
    ASNI_KERNEL(convolution_forward_fp32_##m##x##n##suffix, ConvolutionArgs, (m / tm) * (n / tn), blocks) {                       \
        convolution_tile<ForwardPass, FmaTile<m, n, tm, tn, true, true>, stages, aligned>(args);                                   \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_data_gradient_fp32_##m##x##n##suffix, ConvolutionArgs, (m / tm) * (n / tn), blocks) {                 \
        convolution_tile<DataGradientPass, FmaTile<m, n, tm, tn, true, false>, stages, aligned>(args);                             \
    }                                                                                                                              \
    ASNI_KERNEL(convolution_weight_gradient_fp32_##m##x##n##suffix, ConvolutionArgs, (m / tm) * (n / tn), blocks) {               \
        convolution_tile<WeightGradientPass, FmaTile<m, n, tm, tn, false, false>, stages, aligned>(args);                          \
    }

ASNI_FP32(128, 64, 8, 8, 4, 3, true, )
ASNI_FP32(64, 64, 4, 8, 4, 3, true, )
ASNI_FP32(32, 32, 4, 4, 4, 8, true, )
ASNI_FP32(64, 64, 4, 8, 4, 3, false, _any)
ASNI_FP32(32, 32, 4, 4, 4, 8, false, _any)

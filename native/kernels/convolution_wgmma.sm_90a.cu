// Convolution and fully connected layers in bf16 on Hopper's products of warpgroups (wgmma, fp32 accumulation): forward, data gradient,
// weight gradient (fp32). convolution_<pass>_bf16_<tile rows>x<tile columns>_wgmma; input channels are multiples of 8, and
// outputs of 64 in the data gradient.
#include "asni/cuda.h"
#include "asni/convolution_tile.h"

using namespace asni;

// Tile, warpgroups down and across, stages, blocks a multiprocessor.
#define ASNI_WGMMA_TILE(m, n, groups_m, groups_n, stages, blocks)                                                                 \
    ASNI_KERNEL(convolution_forward_bf16_##m##x##n##_wgmma, ConvolutionArgs, groups_m * groups_n * 128, blocks) {                 \
        convolution_tile<ForwardPass, WarpgroupTile<m, n, groups_m, groups_n, true, true>, stages, true>(args);                   \
    }                                                                                                                             \
    ASNI_KERNEL(convolution_data_gradient_bf16_##m##x##n##_wgmma, ConvolutionArgs, groups_m * groups_n * 128, blocks) {           \
        convolution_tile<DataGradientPass, WarpgroupTile<m, n, groups_m, groups_n, true, false>, stages, true>(args);             \
    }                                                                                                                             \
    ASNI_KERNEL(convolution_weight_gradient_bf16_##m##x##n##_wgmma, ConvolutionArgs, groups_m * groups_n * 128, blocks) {         \
        convolution_tile<WeightGradientPass, WarpgroupTile<m, n, groups_m, groups_n, false, false>, stages, true>(args);          \
    }

// Wide products read A the fewest times; two blocks a multiprocessor hide each other's ends.
ASNI_WGMMA_TILE(128, 256, 2, 1, 4, 1)
ASNI_WGMMA_TILE(256, 128, 2, 1, 4, 1)
ASNI_WGMMA_TILE(128, 128, 2, 1, 3, 2)
ASNI_WGMMA_TILE(256, 64, 4, 1, 4, 1)
ASNI_WGMMA_TILE(128, 64, 2, 1, 4, 2)
ASNI_WGMMA_TILE(64, 128, 1, 1, 3, 3)
// Many small blocks hide the latency of memory where there are few inner indices.
ASNI_WGMMA_TILE(64, 64, 1, 1, 4, 5)

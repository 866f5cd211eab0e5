using Asni.Tensors;

namespace Asni.Networks.Zoo;

/// <summary>
/// MobileNetV2 (Sandler et al., CVPR 2018) of width 1, with torchvision's names. torchvision drops out 20 % of the features before the
/// classifier while training; networks here have no dropout, so that is left out (the parameters and the evaluated network are the same).
/// </summary>
internal static class MobileNetV2
{
    // Expansion factor, output channels, blocks, stride of the first block: the paper's table 2.
    private static readonly (int Expansion, int Channels, int Blocks, int Stride)[] Groups =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

    public static Network Build(string name, Chw input, int classes)
    {
        var net = new NetworkBuilder(name, input);
        int position = 0;
        ConvNormRelu(net, $"features.{position++}", 32, 3, stride: 2);
        foreach ((int expansion, int channels, int blocks, int stride) in Groups)
            for (int block = 0; block < blocks; block++)
                InvertedResidual(net, $"features.{position++}", expansion, channels, block == 0 ? stride : 1);
        ConvNormRelu(net, $"features.{position}", 1280, 1);
        return net.GlobalAveragePool("avgpool").Linear("classifier.1", classes).Build();
    }

    private static void InvertedResidual(NetworkBuilder net, string name, int expansion, int channels, int stride)
    {
        int input = net.Output.Channels, hidden = input * expansion;
        void Layers(NetworkBuilder block)
        {
            int position = 0;
            if (expansion != 1) ConvNormRelu(block, $"conv.{position++}", hidden, 1);
            ConvNormRelu(block, $"conv.{position++}", hidden, 3, stride, groups: hidden);
            block.Convolution($"conv.{position++}", channels, 1).BatchNorm($"conv.{position}");
        }
        if (stride == 1 && input == channels) net.Residual(name, Layers);
        else net.Scope(name, Layers);
    }

    private static void ConvNormRelu(NetworkBuilder net, string name, int channels, int kernel, int stride = 1, int groups = 1) => net
        .Convolution($"{name}.0", channels, kernel, stride, padding: kernel / 2, groups).BatchNorm($"{name}.1").Relu6($"{name}.2");
}

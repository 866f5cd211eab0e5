using Asni.Tensors;

namespace Asni.Networks.Zoo;

/// <summary>
/// Residual networks (He et al., CVPR 2016): resnet18/34/50/101 as torchvision has them (stride on the bottleneck's 3x3 convolution), and
/// resnet20/32/56, the paper's CIFAR form of widths 16, 32, 64. A block that changes shape has a 1x1 convolution and batch-norm on its
/// shortcut in all of them.
/// </summary>
internal static class ResNet
{
    /// <param name="smallStem">A 3x3 convolution without pool, for images of about 32x32, instead of the 7x7/2 with a 3x3/2 pool.</param>
    public static Func<string, Chw, int, Network> Basic(int[] blocks, bool smallStem) => (name, input, classes) =>
        Build(Stem(name, input, 64, smallStem), classes, blocks, 64, "downsample", BasicBlock);

    /// <inheritdoc cref="Basic"/>
    public static Func<string, Chw, int, Network> Bottleneck(int[] blocks, bool smallStem) => (name, input, classes) =>
        Build(Stem(name, input, 64, smallStem), classes, blocks, 64, "downsample", BottleneckBlock);

    /// <summary>The CIFAR form of 6n + 2 layers.</summary>
    /// <param name="blocks">n, the blocks in each of the three groups.</param>
    public static Func<string, Chw, int, Network> Cifar(int blocks) => (name, input, classes) =>
        Build(Stem(name, input, 16, small: true), classes, [blocks, blocks, blocks], 16, "down", BasicBlock);

    private static NetworkBuilder Stem(string name, Chw input, int channels, bool small)
    {
        var net = new NetworkBuilder(name, input);
        return small
            ? net.Convolution("conv1", channels, 3, padding: 1).BatchNorm("bn1").Relu("relu")
            : net.Convolution("conv1", channels, 7, stride: 2, padding: 3).BatchNorm("bn1").Relu("relu")
                .MaxPool("maxpool", 3, stride: 2, padding: 1);
    }

    private static Network Build(NetworkBuilder net, int classes, int[] blocks, int width, string projection, Block append)
    {
        for (int group = 0; group < blocks.Length; group++)
            for (int block = 0; block < blocks[group]; block++)
            {
                int stride = group > 0 && block == 0 ? 2 : 1;
                append(net, $"layer{group + 1}.{block}", width << group, stride, projection);
            }
        return net.GlobalAveragePool("avgpool").Linear("fc", classes).Build();
    }

    private delegate void Block(NetworkBuilder net, string name, int width, int stride, string projection);

    private static void BasicBlock(NetworkBuilder net, string name, int width, int stride, string projection) => net
        .Residual(name,
            main => main
                .Convolution("conv1", width, 3, stride, padding: 1).BatchNorm("bn1").Relu("relu1")
                .Convolution("conv2", width, 3, padding: 1).BatchNorm("bn2"),
            Shortcut(net.Output.Channels, width, stride, projection))
        .Relu($"{name}.relu2");

    private static void BottleneckBlock(NetworkBuilder net, string name, int width, int stride, string projection) => net
        .Residual(name,
            main => main
                .Convolution("conv1", width, 1).BatchNorm("bn1").Relu("relu1")
                .Convolution("conv2", width, 3, stride, padding: 1).BatchNorm("bn2").Relu("relu2")
                .Convolution("conv3", 4 * width, 1).BatchNorm("bn3"),
            Shortcut(net.Output.Channels, 4 * width, stride, projection))
        .Relu($"{name}.relu3");

    private static Action<NetworkBuilder>? Shortcut(int from, int to, int stride, string name) => from == to && stride == 1
        ? null
        : net => net.Convolution($"{name}.0", to, 1, stride).BatchNorm($"{name}.1");
}

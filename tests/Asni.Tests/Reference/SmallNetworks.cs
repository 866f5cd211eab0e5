using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Reference;

/// <summary>Networks of a few thousand weights that between them hold every way of joining layers that a plan fuses or schedules.</summary>
internal static class SmallNetworks
{
    private const int Classes = 6;

    public static IEnumerable<string> Names => Builders.Keys;

    private static readonly Dictionary<string, Func<NetworkBuilder, NetworkBuilder>> Builders = new()
    {
        ["bottleneck"] = net => Stem(net)
            .Residual("block1", b => Bottleneck(b, 6, 10, stride: 2), s => s.Convolution("conv", 10, 1, stride: 2).BatchNorm("bn"))
            .Relu("relu1")
            .Residual("block2", b => Bottleneck(b, 4, 10, stride: 1)).Relu("relu2")
            .GlobalAveragePool("pool").Linear("fc", Classes),
        ["inverted residual"] = net => net
            .Convolution("conv", 5, 3, stride: 2, padding: 1).BatchNorm("bn").Relu6("relu")
            .Residual("block1", b => Inverted(b, 15, 5)).Residual("block2", b => Inverted(b, 20, 5))
            .Scope("block3", b => Inverted(b, 10, 7))
            .GlobalAveragePool("pool").Linear("fc", Classes),
        ["biases and no norm"] = net => net
            .Convolution("conv1", 8, 3, padding: 1, bias: true).Relu("relu1").MaxPool("pool1", 2).Relu("relu2")
            .Residual("block", b => b.Convolution("conv", 8, 3, padding: 1, bias: true)).Relu("relu3")
            .Convolution("conv2", 9, 2, stride: 2, groups: 1, bias: true).Linear("fc1", 11).Relu("relu4").Linear("fc2", Classes),
        ["smooth activations"] = net => net
            .Convolution("conv1", 7, 3, bias: true).Silu("silu1").Residual("block", b => b.Convolution("conv", 7, 3, padding: 1).BatchNorm("bn").Gelu("gelu2"))
            .MaxPool("pool", 2).Gelu("gelu3").Linear("fc1", 9).Gelu("gelu4").Linear("fc2", Classes),
        ["sums of all kinds"] = net => Stem(net)
            .Residual("twice", _ => { })
            .Residual("left", b => b.Convolution("conv", 6, 3, padding: 1).BatchNorm("bn"), s => s.Convolution("side", 6, 1, bias: true))
            .Residual("right",
                b => b.Convolution("conv", 7, 1, bias: true).Relu("relu"),
                s => s.Convolution("side", 7, 1).BatchNorm("norm"))
            .Relu6("relu6")
            .Residual("nested", b => b.Residual("inner", c => c.Convolution("conv", 7, 3, padding: 1).BatchNorm("bn")).Relu("relu"))
            .MaxPool("pool", 3, 1, 1).Linear("fc", Classes),
    };

    public static Network Create(string name) => Builders[name](new NetworkBuilder(name, new Chw(3, 11, 9))).Build();

    private static NetworkBuilder Stem(NetworkBuilder net) =>
        net.Convolution("stem", 6, 5, stride: 1, padding: 2).BatchNorm("bn").Relu("relu").MaxPool("maxpool", 3, 2, 1);

    private static void Bottleneck(NetworkBuilder block, int hidden, int channels, int stride) => block
        .Convolution("conv1", hidden, 1).BatchNorm("bn1").Relu("relu1")
        .Convolution("conv2", hidden, 3, stride, padding: 1, groups: 2).BatchNorm("bn2").Relu("relu2")
        .Convolution("conv3", channels, 1).BatchNorm("bn3");

    private static void Inverted(NetworkBuilder block, int hidden, int channels) => block
        .Convolution("conv1", hidden, 1).BatchNorm("bn1").Relu6("relu1")
        .Convolution("conv2", hidden, 3, padding: 1, groups: hidden).BatchNorm("bn2").Relu6("relu2")
        .Convolution("conv3", channels, 1).BatchNorm("bn3");
}

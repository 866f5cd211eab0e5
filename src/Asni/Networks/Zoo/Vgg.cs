using System.Globalization;
using Asni.Tensors;

namespace Asni.Networks.Zoo;

/// <summary>
/// VGG (Simonyan, Zisserman, ICLR 2015) in the form used on CIFAR: 3x3 convolutions with bias, batch-norm, ReLU, five 2x2 max-pools, and
/// one linear layer over what is left (512 features of a 32x32 input).
/// </summary>
internal static class Vgg
{
    private const int Pool = 0;
    private static readonly int[] Vgg11 = [64, Pool, 128, Pool, 256, 256, Pool, 512, 512, Pool, 512, 512, Pool];
    private static readonly int[] Vgg13 = [64, 64, Pool, 128, 128, Pool, 256, 256, Pool, 512, 512, Pool, 512, 512, Pool];
    private static readonly int[] Vgg16 = [64, 64, Pool, 128, 128, Pool, 256, 256, 256, Pool, 512, 512, 512, Pool, 512, 512, 512, Pool];
    private static readonly int[] Vgg19 =
        [64, 64, Pool, 128, 128, Pool, 256, 256, 256, 256, Pool, 512, 512, 512, 512, Pool, 512, 512, 512, 512, Pool];

    public static Network Build11(string name, Chw input, int classes) => Build(name, input, classes, Vgg11);
    public static Network Build13(string name, Chw input, int classes) => Build(name, input, classes, Vgg13);
    public static Network Build16(string name, Chw input, int classes) => Build(name, input, classes, Vgg16);
    public static Network Build19(string name, Chw input, int classes) => Build(name, input, classes, Vgg19);

    /// <remarks>Names are the positions in one Sequential: convolution, batch-norm, ReLU, pool, ..., flatten, linear.</remarks>
    private static Network Build(string name, Chw input, int classes, int[] layers)
    {
        var net = new NetworkBuilder(name, input);
        int position = 0;
        string Next() => position++.ToString(CultureInfo.InvariantCulture);

        foreach (int channels in layers)
        {
            if (channels == Pool) net.MaxPool(Next(), 2);
            else net.Convolution(Next(), channels, 3, padding: 1, bias: true).BatchNorm(Next()).Relu(Next());
        }
        position++; // flatten
        return net.Linear(Next(), classes).Build();
    }
}

using System.Globalization;
using Asni.Tensors;

namespace Asni.Networks.Zoo;

/// <summary>
/// conv2, conv4 and conv6 of the lottery-ticket paper (Frankle, Carbin, ICLR 2019): 3x3 convolutions with bias in pairs of 64, 128 and
/// 256 channels, a 2x2 max-pool after each pair, then linear layers of 256, 256 and classes. The "a" forms have a global average pool and
/// one linear layer instead.
/// </summary>
internal static class ConvNet
{
    public static Func<string, Chw, int, Network> Form(int convolutions, bool averaged) =>
        (name, input, classes) => Build(name, input, classes, convolutions, averaged);

    /// <remarks>Names are the positions in one Sequential: convolutions, ReLUs and pools, [average pool,] flatten, linear layers.</remarks>
    private static Network Build(string name, Chw input, int classes, int convolutions, bool averaged)
    {
        var net = new NetworkBuilder(name, input);
        int position = 0;
        string Next() => position++.ToString(CultureInfo.InvariantCulture);

        for (int pair = 0; pair < convolutions / 2; pair++)
        {
            int channels = 64 << pair;
            net.Convolution(Next(), channels, 3, padding: 1, bias: true).Relu(Next());
            net.Convolution(Next(), channels, 3, padding: 1, bias: true).Relu(Next());
            net.MaxPool(Next(), 2);
        }
        if (averaged) net.GlobalAveragePool(Next());
        position++; // flatten
        if (!averaged)
        {
            net.Linear(Next(), 256).Relu(Next());
            net.Linear(Next(), 256).Relu(Next());
        }
        return net.Linear(Next(), classes).Build();
    }
}

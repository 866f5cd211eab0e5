using Asni.Tensors;

namespace Asni.Networks.Zoo;

/// <summary>LeNet-300-100 (LeCun et al., 1998), also called fc: input-300-100-classes with ReLU.</summary>
internal static class LeNet
{
    /// <remarks>Names are those of Sequential(Flatten, Linear, ReLU, Linear, ReLU, Linear).</remarks>
    public static Network Build(string name, Chw input, int classes) => new NetworkBuilder(name, input)
        .Linear("1", 300).Relu("2")
        .Linear("3", 100).Relu("4")
        .Linear("5", classes)
        .Build();

    /// <summary>One hidden layer of 300: the two-layer network of structured pruning's experiments.</summary>
    public static Network BuildTwoLayers(string name, Chw input, int classes) => new NetworkBuilder(name, input)
        .Linear("1", 300).Relu("2")
        .Linear("3", classes)
        .Build();
}

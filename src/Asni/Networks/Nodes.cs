using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>One operation of a network. <paramref name="Inputs"/> are ids of earlier nodes; <paramref name="Output"/> is per sample.</summary>
public abstract record Node(int Id, string Name, ImmutableArray<int> Inputs, Chw Output);

public sealed record InputNode(int Id, Chw Output) : Node(Id, "input", [], Output);

/// <summary>2-d convolution, square stride and padding.</summary>
public sealed record ConvolutionNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter? Bias, int Stride, int Padding, int Groups)
    : Node(Id, Name, [Source], Output);

/// <summary>Fully connected layer. Reads its input flattened in CHW order, as PyTorch's flatten does.</summary>
public sealed record LinearNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter? Bias)
    : Node(Id, Name, [Source], Output);

/// <summary>Batch normalization over (N, H, W); <paramref name="Momentum"/> is PyTorch's: running = (1 - momentum) * running + momentum * batch.</summary>
public sealed record BatchNormNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter Bias, Parameter RunningMean,
    Parameter RunningVariance, float Epsilon = 1e-5f, float Momentum = 0.1f)
    : Node(Id, Name, [Source], Output);

/// <summary>max(x, 0), or min(max(x, 0), 6) when <paramref name="Six"/>.</summary>
public sealed record ReluNode(int Id, string Name, int Source, Chw Output, bool Six) : Node(Id, Name, [Source], Output);

public sealed record AddNode(int Id, string Name, int Left, int Right, Chw Output) : Node(Id, Name, [Left, Right], Output);

/// <summary>Max pooling; windows start at -<paramref name="Padding"/>, padding never wins.</summary>
public sealed record MaxPoolNode(int Id, string Name, int Source, Chw Output, int Size, int Stride, int Padding) : Node(Id, Name, [Source], Output);

/// <summary>Mean over all positions: PyTorch's AdaptiveAvgPool2d(1).</summary>
public sealed record GlobalAveragePoolNode(int Id, string Name, int Source, Chw Output) : Node(Id, Name, [Source], Output);

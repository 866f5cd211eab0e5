using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks;

/// <summary>One operation of a network. <paramref name="Inputs"/> are ids of earlier nodes; <paramref name="Output"/> is per sample.</summary>
internal abstract record Node(int Id, string Name, ImmutableArray<int> Inputs, Chw Output)
{
    /// <summary>Its own tensors, in the order of PyTorch's state dict.</summary>
    public virtual ImmutableArray<Parameter> Parameters => [];

    /// <summary>Words for people: "conv 3x3/2", "linear", "batch-norm", "relu", "add", ...</summary>
    internal abstract string Kind { get; }

    /// <summary>Multiply-accumulates with its weights, of a dense forward pass of one sample.</summary>
    internal abstract long Macs { get; }

    internal abstract UnitFlow Units { get; }

    /// <summary>Whether a device takes a piecewise linear activation behind it into the same step.</summary>
    internal abstract bool FusesActivation { get; }

    /// <summary>Whether its backward pass reads its input again.</summary>
    internal abstract bool KeepsInput { get; }

    /// <summary>The smallest height (or width) of its input that gives an output of at least this one.</summary>
    internal abstract int InputSizeFor(int size);

    /// <summary>The same operation in another graph.</summary>
    /// <param name="source">The id there of a node that it reads.</param>
    /// <param name="tensor">The tensor there that takes the place of one of <see cref="Parameters"/>; called for each, in that order.</param>
    internal abstract Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor);

    /// <summary><see cref="InputSizeFor(int)"/> of a window that moves.</summary>
    private protected static int InputSizeFor(int size, int window, int stride, int padding) => Math.Max(1, (size - 1) * stride + window - 2 * padding);

    /// <summary>"/2"; nothing for 1.</summary>
    private protected static string Words(int stride) => stride == 1 ? "" : $"/{stride}";
}

/// <summary>What a node does with the channels of its input, which are the units of the layer that made them.</summary>
internal enum UnitFlow
{
    /// <summary>It has no input.</summary>
    None,

    /// <summary>Each of its outputs reads all units: a group of units ends here and another begins.</summary>
    Ends,

    /// <summary>A channel of its output is made of the same channel of its input alone.</summary>
    Passes,

    /// <summary>Units of two branches are added.</summary>
    Adds,

    /// <summary>Its outputs read part of the units each.</summary>
    Splits,
}

internal sealed record InputNode(int Id, Chw Output) : Node(Id, "input", [], Output)
{
    internal override string Kind => "input";
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.None;
    internal override bool FusesActivation => false;
    internal override bool KeepsInput => false;
    internal override int InputSizeFor(int size) => size;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) => new InputNode(id, Output);
}

/// <summary>A layer with weights: a convolution or a linear layer.</summary>
internal abstract record WeightedNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter? Bias) : Node(Id, Name, [Source], Output)
{
    public override ImmutableArray<Parameter> Parameters => Bias is null ? [Weight] : [Weight, Bias];

    /// <summary>Each weight is used once a position of the output.</summary>
    internal override long Macs => Weight.Elements * Output.Positions;

    /// <summary>The channel of its source that an output's filter reads as its <paramref name="input"/>-th.</summary>
    internal abstract int SourceChannel(int output, int input);
}

/// <summary>2-d convolution, square stride and padding.</summary>
internal sealed record ConvolutionNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter? Bias, int Stride, int Padding, int Groups)
    : WeightedNode(Id, Name, Source, Output, Weight, Bias)
{
    /// <summary>As many groups as channels, each filter reads one channel.</summary>
    public bool IsDepthwise => Groups > 1 && Weight.Filter.In == 1 && Weight.Filter.Out == Groups;

    internal override string Kind => $"conv {Weight.Filter.Height}x{Weight.Filter.Width}{Words(Stride)}{(Groups == 1 ? "" : Weight.Filter.In == 1 ? " depthwise" : $" in {Groups} groups")}";
    internal override UnitFlow Units => Groups == 1 ? UnitFlow.Ends : IsDepthwise ? UnitFlow.Passes : UnitFlow.Splits;
    internal override bool FusesActivation => true;
    internal override bool KeepsInput => true;
    internal override int InputSizeFor(int size) => InputSizeFor(size, Weight.Filter.Height, Stride, Padding);
    internal override int SourceChannel(int output, int input) => output / (Weight.Filter.Out / Groups) * Weight.Filter.In + input;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) =>
        new ConvolutionNode(id, Name, source(Source), Output, tensor(Weight), Bias is null ? null : tensor(Bias), Stride, Padding, Groups);
}

/// <summary>Fully connected layer. Reads its input flattened in CHW order, as PyTorch's flatten does.</summary>
internal sealed record LinearNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter? Bias) : WeightedNode(Id, Name, Source, Output, Weight, Bias)
{
    internal override string Kind => "linear";
    internal override UnitFlow Units => UnitFlow.Ends;
    internal override bool FusesActivation => true;
    internal override bool KeepsInput => true;
    internal override int InputSizeFor(int size) => size;
    internal override int SourceChannel(int output, int input) => input;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) =>
        new LinearNode(id, Name, source(Source), Output, tensor(Weight), Bias is null ? null : tensor(Bias));
}

/// <summary>Batch normalization over (N, H, W); <paramref name="Momentum"/> is PyTorch's: running = (1 - momentum) * running + momentum * batch.</summary>
internal sealed record BatchNormNode(int Id, string Name, int Source, Chw Output, Parameter Weight, Parameter Bias, Parameter RunningMean,
    Parameter RunningVariance, float Epsilon = 1e-5f, float Momentum = 0.1f)
    : Node(Id, Name, [Source], Output)
{
    public override ImmutableArray<Parameter> Parameters => [Weight, Bias, RunningMean, RunningVariance];

    internal override string Kind => "batch-norm";
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.Passes;
    internal override bool FusesActivation => true;
    internal override bool KeepsInput => true;
    internal override int InputSizeFor(int size) => size;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) =>
        new BatchNormNode(id, Name, source(Source), Output, tensor(Weight), tensor(Bias), tensor(RunningMean), tensor(RunningVariance), Epsilon, Momentum);
}

/// <summary>An activation function, element by element; not <see cref="Activation.None"/>.</summary>
internal sealed record ActivationNode(int Id, string Name, int Source, Chw Output, Activation Activation) : Node(Id, Name, [Source], Output)
{
    internal override string Kind => ActivationFunction.Get(Activation).Name;
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.Passes;
    internal override bool FusesActivation => false;
    internal override bool KeepsInput => !ActivationFunction.IsFused(Activation);
    internal override int InputSizeFor(int size) => size;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) => new ActivationNode(id, Name, source(Source), Output, Activation);
}

internal sealed record AddNode(int Id, string Name, int Left, int Right, Chw Output) : Node(Id, Name, [Left, Right], Output)
{
    internal override string Kind => "add";
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.Adds;
    internal override bool FusesActivation => true;
    internal override bool KeepsInput => false;
    internal override int InputSizeFor(int size) => size;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) => new AddNode(id, Name, source(Left), source(Right), Output);
}

/// <summary>Max pooling; windows start at -<paramref name="Padding"/>, padding never wins.</summary>
internal sealed record MaxPoolNode(int Id, string Name, int Source, Chw Output, int Size, int Stride, int Padding) : Node(Id, Name, [Source], Output)
{
    internal override string Kind => $"max-pool {Size}x{Size}{Words(Stride)}";
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.Passes;
    internal override bool FusesActivation => false;
    internal override bool KeepsInput => false;
    internal override int InputSizeFor(int size) => InputSizeFor(size, Size, Stride, Padding);

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) =>
        new MaxPoolNode(id, Name, source(Source), Output, Size, Stride, Padding);
}

/// <summary>Mean over all positions: PyTorch's AdaptiveAvgPool2d(1).</summary>
internal sealed record GlobalAveragePoolNode(int Id, string Name, int Source, Chw Output) : Node(Id, Name, [Source], Output)
{
    internal override string Kind => "average pool";
    internal override long Macs => 0;
    internal override UnitFlow Units => UnitFlow.Passes;
    internal override bool FusesActivation => false;
    internal override bool KeepsInput => false;
    internal override int InputSizeFor(int size) => size;

    internal override Node Moved(int id, Func<int, int> source, Func<Parameter, Parameter> tensor) => new GlobalAveragePoolNode(id, Name, source(Source), Output);
}

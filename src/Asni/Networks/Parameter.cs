using Asni.Tensors;

namespace Asni.Networks;

/// <summary>What a stored tensor of a network is for.</summary>
public enum ParameterKind
{
    /// <summary>A convolution or linear weight: the only kind that is pruned by default.</summary>
    Weight,
    Bias,
    NormWeight,
    NormBias,
    /// <summary>A batch-norm running mean: state, not trained.</summary>
    RunningMean,
    /// <summary>A batch-norm running variance: state, not trained.</summary>
    RunningVariance,
}

/// <summary>
/// One stored tensor of a network. <see cref="Name"/> and <see cref="Shape"/> are PyTorch's ("layer1.0.conv1.weight", [64, 64, 3, 3]).
/// </summary>
public sealed record Parameter
{
    internal Parameter(int index, string name, ParameterKind kind, Shape shape, FilterShape filter) => (Index, Name, Kind, Shape, Filter) = (index, name, kind, shape, filter);

    /// <summary>Its place in <see cref="Network.Parameters"/>.</summary>
    public int Index { get; internal init; }

    public string Name { get; internal init; }
    public ParameterKind Kind { get; internal init; }
    public Shape Shape { get; internal init; }

    /// <summary>
    /// The same elements in the same row-major order seen as a filter bank (out, in, height, width). For a linear weight this is
    /// (out, C, H, W) of the activation it reads, so that a device may keep activations in any layout and still flatten as PyTorch does.
    /// For vectors it is (n, 1, 1, 1).
    /// </summary>
    internal FilterShape Filter { get; init; }

    public long Elements => Shape.Elements;
    public bool IsTrained => Kind is not (ParameterKind.RunningMean or ParameterKind.RunningVariance);
    public bool IsWeight => Kind is ParameterKind.Weight;
}

/// <summary>A filter bank: output channels, input channels (per group), kernel height and width.</summary>
internal readonly record struct FilterShape(int Out, int In, int Height, int Width)
{
    /// <summary>Elements of one output's filter, PyTorch's fan-in.</summary>
    public int FanIn => checked(In * Height * Width);
}

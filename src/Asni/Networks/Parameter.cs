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
/// One stored tensor of a network. <paramref name="Name"/> and <paramref name="Shape"/> are PyTorch's
/// ("layer1.0.conv1.weight", [64, 64, 3, 3]); <paramref name="Index"/> is its place in <see cref="Network.Parameters"/>.
/// </summary>
/// <param name="Filter">
/// The same elements in the same row-major order seen as a filter bank (out, in, height, width). For a linear weight this is
/// (out, C, H, W) of the activation it reads, so that a device may keep activations in any layout and still flatten as PyTorch does.
/// For vectors it is (n, 1, 1, 1).
/// </param>
public sealed record Parameter(int Index, string Name, ParameterKind Kind, Shape Shape, FilterShape Filter)
{
    public long Elements => Shape.Elements;
    public bool IsTrained => Kind is not (ParameterKind.RunningMean or ParameterKind.RunningVariance);
    public bool IsWeight => Kind is ParameterKind.Weight;
}

/// <summary>A filter bank: output channels, input channels (per group), kernel height and width.</summary>
public readonly record struct FilterShape(int Out, int In, int Height, int Width)
{
    /// <summary>Elements of one output's filter, PyTorch's fan-in.</summary>
    public int FanIn => checked(In * Height * Width);
}

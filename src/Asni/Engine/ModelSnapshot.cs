using System.Collections.Immutable;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Engine;

/// <summary>A network with its weights on the host: values in PyTorch's order, by <see cref="Parameter.Index"/>, and masks (null: all live).</summary>
public sealed record ModelSnapshot(Network Network, ImmutableArray<float[]> Values, ImmutableArray<Mask?> Masks)
{
    /// <summary>Live elements among the prunable weights.</summary>
    public long Kept => Network.Weights.Sum(Live);

    public long Live(Parameter parameter) => Masks[parameter.Index]?.Live ?? parameter.Elements;
}

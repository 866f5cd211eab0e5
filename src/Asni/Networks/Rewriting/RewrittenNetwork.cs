using System.Collections.Immutable;

namespace Asni.Networks.Rewriting;

/// <summary>A network made of another's parts, and where each of its parameters comes from, by <see cref="Parameter.Index"/>.</summary>
internal sealed record RewrittenNetwork(Network Network, ImmutableArray<ParameterSource> Sources)
{
    /// <summary>Values and masks of the network before, as far as they are in this one.</summary>
    public TrainedNetwork Carry(TrainedNetwork before) => new(Network,
        [.. Sources.Select(s => s.Select(before.Values[s.Parameter.Index]))],
        [.. Sources.Select(s => s.Select(before.Masks[s.Parameter.Index]))]);
}

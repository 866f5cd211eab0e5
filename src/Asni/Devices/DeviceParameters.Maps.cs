using Asni.Networks;

namespace Asni.Devices;

internal abstract partial class DeviceParameters
{
    /// <summary>Puts w into <see cref="ParameterSlot.Master"/> and v = f(w, s) in its place, of trained parameters; pruned elements stay +0.</summary>
    /// <param name="own">t of each parameter, where the function has one.</param>
    public void MapValues(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own = default)
    {
        Check(parameters, map, own);
        MapValuesCore(parameters, map, own);
    }

    /// <inheritdoc cref="MapValues"/>
    protected abstract void MapValuesCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own);

    /// <summary>
    /// After <see cref="MapValues"/> and a backward pass: values are w again, the gradient of v becomes that of w, and <see cref="ParameterSlot.GateGradient"/> that of s, both with the
    /// penalty's. Of pruned elements gradients mean something only where that pass was dense.
    /// </summary>
    /// <param name="own">As values were mapped with.</param>
    public void MapGradients(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own = default)
    {
        Check(parameters, map, own);
        if (map.Function == MapFunction.NoiseThreshold) throw new ArgumentException($"{map.Function} has no gradient", nameof(map));
        MapGradientsCore(parameters, map, own);
    }

    /// <inheritdoc cref="MapGradients"/>
    protected abstract void MapGradientsCore(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own);

    /// <summary>Values are w again.</summary>
    public void RestoreValues(ReadOnlySpan<int> parameters) => Combine(parameters, ElementFunction.Identity, ParameterSlot.Master, ParameterSlot.Value);

    /// <summary>Updates gates from their gradients, with state of their own, those of pruned elements too. Weight decay applies to all.</summary>
    public abstract void UpdateGates(ReadOnlySpan<int> parameters, in UpdateRule rule);

    /// <summary>Makes the gates of the <paramref name="keep"/> live elements of these parameters that rank highest 1, ties by (parameter, element), and all their others 0. Masks stay.</summary>
    /// <param name="keep">0 to as many as live.</param>
    /// <exception cref="DivergenceException">A live element ranks by NaN.</exception>
    public void MarkLargest(ReadOnlySpan<int> parameters, long keep, Ranking ranking = Ranking.Magnitude)
    {
        RequireTrained(parameters);
        long live = 0;
        foreach (int p in parameters) live += Live(p);
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, live);
        MarkLargestCore(parameters, keep, ranking);
    }

    /// <inheritdoc cref="MarkLargest"/>
    protected abstract void MarkLargestCore(ReadOnlySpan<int> parameters, long keep, Ranking ranking);

    /// <summary>
    /// Of each <paramref name="of"/> neighbouring inputs of an output, at the same place of a kernel, makes the gates of the <paramref name="keep"/> live weights that rank highest 1, ties by input,
    /// and those of the others 0. Masks stay. A NaN is marked, and leaves its neighbours the places that they would have without it.
    /// </summary>
    /// <param name="parameter">A weight whose inputs are a multiple of <paramref name="of"/>.</param>
    public void MarkGroups(int parameter, int of, int keep, Ranking ranking = Ranking.Magnitude)
    {
        RequireTrained([parameter]);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(of);
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        Parameter p = Parameters[parameter];
        if (p.Shape[1] % of != 0) throw new ArgumentException($"{p.Name} has {p.Shape[1]} inputs, no multiple of {of}", nameof(of));
        // The inputs of a linear layer are the channels of its filter, position by position.
        MarkGroupsCore(parameter, of, keep, p.Shape.Rank == 2 ? p.Filter.Height * p.Filter.Width : 1, ranking);
    }

    /// <inheritdoc cref="MarkGroups"/>
    /// <param name="positions">Input j is channel j / positions, at position j % positions of the filter.</param>
    protected abstract void MarkGroupsCore(int parameter, int of, int keep, int positions, Ranking ranking);

    /// <summary>Makes gates 0 where |w| is at most <paramref name="below"/> and 1 where it is above <paramref name="above"/>; the others stay.</summary>
    /// <param name="above">At least <paramref name="below"/>.</param>
    public void MoveGates(ReadOnlySpan<int> parameters, float below, float above)
    {
        RequireTrained(parameters);
        ArgumentOutOfRangeException.ThrowIfLessThan(above, below);
        MoveGatesCore(parameters, below, above);
    }

    /// <inheritdoc cref="MoveGates"/>
    protected abstract void MoveGatesCore(ReadOnlySpan<int> parameters, float below, float above);

    private void Check(ReadOnlySpan<int> parameters, in ElementMap map, ReadOnlySpan<float> own)
    {
        RequireTrained(parameters);
        if (map.HasOwnNumbers && own.Length != parameters.Length) throw new ArgumentException($"{own.Length} numbers for {parameters.Length} parameters", nameof(own));
    }
}

using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Networks.Rewriting;

/// <summary>
/// Where the elements of a rewritten network's parameter come from: from a parameter of the network before, all of it or only some outputs or inputs of its
/// filters (<see cref="Parameter.Filter"/>), in the order given. Null: all.
/// </summary>
internal sealed record ParameterSource(Parameter Parameter, ImmutableArray<int>? Outputs = null, ImmutableArray<int>? Inputs = null)
{
    private bool IsWhole => Outputs is null && Inputs is null;

    public float[] Select(float[] values)
    {
        if (IsWhole) return values;
        var selected = new List<float>();
        foreach ((int from, int length) in Runs()) selected.AddRange(values.AsSpan(from, length));
        return [.. selected];
    }

    /// <returns>Null when all that was selected lives.</returns>
    public Mask? Select(Mask? mask)
    {
        if (mask is null || IsWhole) return mask;
        var selected = new Mask(Runs().Sum(r => (long)r.Length), live: false);
        long at = 0;
        foreach ((int from, int length) in Runs())
            for (int i = 0; i < length; i++) selected[at++] = mask[from + i];
        return selected.Live == selected.Length ? null : selected;
    }

    /// <summary>The runs of elements that are taken, in row-major order of the new parameter.</summary>
    private IEnumerable<(int From, int Length)> Runs()
    {
        FilterShape filter = Parameter.Filter;
        int plane = filter.Height * filter.Width;
        foreach (int o in Outputs ?? [.. Enumerable.Range(0, filter.Out)])
        {
            if (Inputs is not { } inputs) yield return (o * filter.FanIn, filter.FanIn);
            else
                foreach (int i in inputs) yield return (o * filter.FanIn + i * plane, plane);
        }
    }
}

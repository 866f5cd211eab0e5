using System.Collections.Immutable;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>What one pruning did.</summary>
/// <param name="Threshold">Smallest magnitude cut that was applied; null when nothing had to go.</param>
/// <param name="Kept">Live elements among all that can be pruned.</param>
internal readonly record struct PruneOutcome(double? Threshold, long Kept);

/// <summary>
/// Magnitude pruning to an exact count: K = N - round(S * N) elements stay, the largest by |w| over all tensors together (or per layer),
/// ties by lower index. Pruned elements never return.
/// </summary>
internal sealed class MagnitudePruner
{
    private readonly Model _model;
    private readonly PruningOptions _options;
    private readonly ImmutableArray<Parameter> _prunable;
    private readonly HashSet<string> _told = [];

    public MagnitudePruner(Model model, PruningOptions options)
    {
        _model = model;
        _options = options;
        _prunable = [.. model.Network.Parameters.Where(p => p.IsWeight || (options.Biases && p.Kind == ParameterKind.Bias))];
    }

    /// <summary>Elements that can be pruned, N.</summary>
    public long Total => _prunable.Sum(p => p.Elements);

    /// <summary>Prunes to sparsity S, never reviving anything: a target below what is already pruned does nothing.</summary>
    /// <param name="note">Told once of each layer that is close to empty or empty.</param>
    public PruneOutcome PruneTo(double sparsity, Action<TrainingNote> note)
    {
        double? threshold = _options.Local
            ? _prunable.Select(p => PruneGroup([p], Keep(p.Elements, sparsity))).Min()
            : PruneGlobally(Keep(Total, sparsity));
        foreach (Parameter p in _prunable) Warn(p, note);
        return new PruneOutcome(threshold, _prunable.Sum(Live));
    }

    /// <summary>K of algorithm and tests: N - round(S * N), halves away from zero.</summary>
    public static long Keep(long total, double sparsity) => total - (long)Math.Round(sparsity * total, MidpointRounding.AwayFromZero);

    private long Live(Parameter p) => _model.Parameters.Live(p.Index);

    private double? PruneGlobally(long keep)
    {
        var free = _prunable.ToList();
        double? threshold = null;
        if (_options.MinimumKept > 0)
        {
            foreach (Parameter p in LayersUnderTheFloor(free, ref keep))
            {
                free.Remove(p);
                threshold = Lower(threshold, PruneGroup([p], Math.Min(_options.MinimumKept, Live(p))));
            }
        }
        return free.Count == 0 ? threshold : Lower(threshold, PruneGroup(free, keep));
    }

    private static double? Lower(double? a, double? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);

    /// <summary>
    /// Layers of which the global cut would leave fewer than the floor. Such a layer keeps exactly its floor, which leaves less for the others
    /// and may put more of them under it: repeated until none is. <paramref name="keep"/> becomes what the other layers share.
    /// </summary>
    private List<Parameter> LayersUnderTheFloor(List<Parameter> layers, ref long keep)
    {
        var under = new List<Parameter>();
        var free = layers.ToList();
        while (free.Count > 0)
        {
            long share = Math.Clamp(keep, 0, free.Sum(Live));
            float cut = _model.Parameters.FindThreshold(Indices(free), share).Value;
            var more = free.Where(p => FloorMagnitude(p) <= cut).ToList();
            if (more.Count == 0) break;
            keep = Math.Max(0, keep - more.Sum(p => Math.Min(_options.MinimumKept, Live(p))));
            under.AddRange(more);
            free.RemoveAll(more.Contains);
        }
        return under;
    }

    private float FloorMagnitude(Parameter p) =>
        _model.Parameters.FindThreshold([p.Index], Math.Min(_options.MinimumKept, Live(p))).Value;

    private double? PruneGroup(IReadOnlyList<Parameter> group, long keep)
    {
        if (keep >= group.Sum(Live)) return null;
        int[] indices = Indices(group);
        return _model.Parameters.Prune(indices, keep, new long[indices.Length]).Value;
    }

    private static int[] Indices(IEnumerable<Parameter> parameters) => [.. parameters.Select(p => p.Index)];

    /// <summary>A layer with fewer live weights than outputs has outputs without any input; an empty one cuts the network.</summary>
    private void Warn(Parameter p, Action<TrainingNote> note)
    {
        long live = Live(p);
        if (!p.IsWeight || live >= p.Filter.Out) return;
        if (live == 0 && _told.Add(p.Name + ":empty"))
            note(new($"layer {p.Name} has no live weight left.", TrainingNoteKind.SparseLayer));
        else if (live > 0 && _told.Add(p.Name))
            note(new($"layer {p.Name} is close to empty: {live} of {p.Elements} weights live.", TrainingNoteKind.SparseLayer));
    }
}

using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;

namespace Asni.Training.Policies;

/// <summary>Prunes the weights whose magnitude is not above a floor, over all layers, but leaves a number of them.</summary>
/// <param name="floor">The largest magnitude that goes.</param>
/// <param name="least">Weights that stay at least: the largest.</param>
/// <param name="note">Told of layers close to empty.</param>
internal sealed class FloorCut(Model model, float floor, long least, Action<TrainingNote> note)
{
    private readonly SparseLayerNotes _sparse = new();
    private readonly Parameter[] _weights = [.. model.Network.Weights];
    private readonly int[] _indices = [.. model.Network.Weights.Select(p => p.Index)];

    public PruneOutcome Apply()
    {
        DeviceParameters parameters = model.Parameters;
        long live = _indices.Sum(parameters.Live);
        if (live <= least) return new PruneOutcome(null, live);
        Threshold cut = parameters.FindThreshold(_indices, least);
        if (!(cut.Value <= floor)) cut = new Threshold(floor, KeepEqual: 0);
        var kept = new long[_indices.Length];
        parameters.ApplyThreshold(_indices, cut, kept);
        for (int k = 0; k < kept.Length; k++) _sparse.Tell(_weights[k], kept[k], note);
        return new PruneOutcome(cut.Value, kept.Sum());
    }
}

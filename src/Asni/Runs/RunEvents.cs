using Asni.Engine;
using Asni.Formats.TensorBoard;
using Asni.Methods;
using Asni.Networks;
using Asni.Training;

namespace Asni.Runs;

/// <summary>
/// A run as TensorBoard shows it: PHASE/METRIC an epoch; after a phase the distribution of each layer's surviving weights, the two numbers of each
/// layer, and the first filters. Steps are epochs of the phase, from 1.
/// </summary>
internal sealed class RunEvents(Stream stream)
{
    private readonly EventWriter _events = new(stream);
    private readonly Dictionary<string, int> _epochs = [];

    public void Epoch(EpochRecord r)
    {
        _epochs[r.Phase] = r.Epoch + 1;
        _events.Scalars(r.Epoch + 1,
        [
            (r.Phase + "/train_loss", r.TrainLoss), (r.Phase + "/test_loss", r.TestLoss), (r.Phase + "/test_top1", r.TestTop1),
            (r.Phase + "/test_top5", r.TestTop5), (r.Phase + "/lr", r.Lr), (r.Phase + "/sparsity", r.Sparsity),
            (r.Phase + "/threshold", r.Threshold), (r.Phase + "/images_per_second", r.ImagesPerSecond), (r.Phase + "/ever_live", r.EverLive),
        ]);
    }

    public void Phase(PhaseResult phase)
    {
        int step = _epochs.GetValueOrDefault(phase.Phase);
        foreach (Parameter p in phase.Model.Network.Weights) _events.Distribution(step, $"{phase.Phase}/{p.Name}", Survivors(phase.Model, p));
        foreach (LayerResult layer in phase.Layers)
            _events.Scalars(step, [($"{phase.Phase}/c_plus/{layer.Parameter.Name}", layer.CenterPlus),
                ($"{phase.Phase}/c_minus/{layer.Parameter.Name}", layer.CenterMinus)]);
        Parameter first = phase.Model.Network.Weights.First();
        // A tag of its own: TensorBoard keeps one kind of data a tag, and the distribution has the tensor's.
        _events.Picture(step, $"{phase.Phase}/filters/{first.Name}", FilterPicture.Draw(first, phase.Model.Values[first.Index]));
    }

    /// <summary>The values of a tensor's live elements.</summary>
    public static float[] Survivors(TrainedNetwork model, Parameter p)
    {
        float[] values = model.Values[p.Index];
        return model.Masks[p.Index] is { } mask ? [.. values.Where((_, i) => mask[i])] : values;
    }
}

using Asni.Devices;
using Asni.Networks;

namespace Asni.Pruning;

/// <summary>Tells once of each layer that pruning left close to empty, and of each that it left empty.</summary>
/// <param name="kind">Of the notes.</param>
internal sealed class SparseLayerNotes(TrainingNoteKind kind = TrainingNoteKind.Information)
{
    private readonly HashSet<string> _told = [];

    /// <summary>Of a weight tensor; what else is pruned is not told of.</summary>
    public void Tell(Parameter p, long live, Action<TrainingNote> note)
    {
        // With fewer live weights than outputs, some outputs are without any input; an empty layer cuts the network.
        if (!p.IsWeight || live >= p.Filter.Out) return;
        if (live == 0 && _told.Add(p.Name + ":empty"))
            note(new($"layer {p.Name} has no live weight left.", kind));
        else if (live > 0 && _told.Add(p.Name))
            note(new($"layer {p.Name} is close to empty: {live} of {p.Elements} weights live.", kind));
    }
}

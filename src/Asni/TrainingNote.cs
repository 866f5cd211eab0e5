namespace Asni;

/// <summary>What a note of a run is about, where a program can say more than the text does.</summary>
public enum TrainingNoteKind
{
    /// <summary>The text says it all.</summary>
    Information,

    /// <summary>Pruning has left a layer with few weights or none; a minimum of kept weights would be a floor for it.</summary>
    SparseLayer,

    /// <summary>The run is too short for its schedule; a final sparsity would make it as high as that needs.</summary>
    ScheduleCutShort,
}

/// <summary>Something that whoever trains should know: a layer close to empty, a fallback taken.</summary>
/// <param name="Text">One sentence, or a clause.</param>
public sealed record TrainingNote(string Text, TrainingNoteKind Kind = TrainingNoteKind.Information);

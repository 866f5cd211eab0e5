using Asni.Training;

namespace Asni.Tests.Methods;

/// <summary>Remembers what it was told.</summary>
internal sealed class RecordingObserver : ITrainingObserver
{
    public List<string> Phases { get; } = [];
    public List<EpochRecord> Epochs { get; } = [];
    public List<string> Notes { get; } = [];

    /// <summary>Called after each epoch.</summary>
    public Action<EpochRecord>? EpochCompleted { get; init; }

    public void OnPhaseStarted(string phase, int epochs) => Phases.Add(phase);
    public void OnEpochCompleted(EpochRecord record)
    {
        Epochs.Add(record);
        EpochCompleted?.Invoke(record);
    }

    public void OnNote(TrainingNote note) => Notes.Add(note.Text);
}

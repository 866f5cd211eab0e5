using Asni.Training;

namespace Asni.Tests.Methods;

/// <summary>Remembers what it was told.</summary>
internal sealed class RecordingObserver : ITrainingObserver
{
    public List<string> Phases { get; } = [];
    public List<EpochRecord> Epochs { get; } = [];
    public List<string> Notes { get; } = [];

    public void PhaseStarted(string phase, int epochs) => Phases.Add(phase);
    public void EpochDone(EpochRecord record) => Epochs.Add(record);
    public void Note(TrainingNote note) => Notes.Add(note.Text);
}

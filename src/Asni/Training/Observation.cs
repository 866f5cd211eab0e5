namespace Asni.Training;

/// <summary>One epoch of one phase: a row of metrics.jsonl. Losses are means; accuracies and sparsity are fractions.</summary>
/// <param name="Phase">Its name, one of those of "phase" in docs/formats.md.</param>
/// <param name="Sparsity">Pruned share of the prunable weights while this epoch trained and was evaluated.</param>
/// <param name="Threshold">The magnitude below which the pruning before this epoch cut; null when none took place.</param>
/// <param name="Seconds">Training and evaluation.</param>
/// <param name="ImagesPerSecond">Training only.</param>
public sealed record EpochRecord(string Phase, int Epoch, int Epochs, double Lr, double TrainLoss, double TestLoss, double TestTop1, double TestTop5,
    double Sparsity, long Kept, double? Threshold, double Seconds, double ImagesPerSecond)
{
    /// <summary>Share of the prunable weights that have been live at some time (Rs); null where the method does not count them.</summary>
    public double? EverLive { get; init; }
}

/// <summary>How far a phase is, told a few times a second at most.</summary>
public readonly record struct StepProgress(string Phase, int Epoch, int Epochs, int Step, int Steps, double ImagesPerSecond);

/// <summary>Hears what training does. Called on the training thread; must not throw.</summary>
public interface ITrainingObserver
{
    void OnPhaseStarted(string phase, int epochs) { }
    void OnStepCompleted(in StepProgress progress) { }
    void OnEpochCompleted(EpochRecord record) { }

    /// <summary>Something that whoever trains should know.</summary>
    void OnNote(TrainingNote note) { }
}

internal static class TrainingObservers
{
    /// <summary>A note that says it all.</summary>
    public static void OnNote(this ITrainingObserver observer, string text) => observer.OnNote(new TrainingNote(text));
}

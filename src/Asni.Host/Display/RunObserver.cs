using Asni.Methods;
using Asni.Runs;
using Asni.Training;

namespace Asni.Host.Display;

/// <summary>Passes what training tells on to the run folder and the display. A folder that cannot be written stops the run.</summary>
/// <param name="method">That trains.</param>
internal sealed class RunObserver(Method method, RunFolder folder, TrainingDisplay display, Interrupt interrupt) : ITrainingObserver
{
    /// <summary>Why the run was stopped from here; training itself must not hear exceptions.</summary>
    public AsniException? Failure { get; private set; }

    public void OnPhaseStarted(string phase, int epochs) => display.OnPhaseStarted();

    public void OnStepCompleted(in StepProgress progress) => display.OnStepCompleted(progress);

    public void OnEpochCompleted(EpochRecord record)
    {
        display.OnEpochCompleted(record);
        try
        {
            folder.Append(record);
        }
        catch (AsniException e)
        {
            Failure ??= e;
            interrupt.Stop();
        }
    }

    public void OnNote(TrainingNote note) => display.Note(Remedies.Sentence(note, method));
}

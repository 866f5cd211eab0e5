using Asni.Runs;
using Asni.Training;

namespace Asni.Host.Display;

/// <summary>Passes what training tells on to the run folder and the display. A folder that cannot be written stops the run.</summary>
internal sealed class RunObserver(RunFolder folder, TrainingDisplay display, Interrupt interrupt) : ITrainingObserver
{
    /// <summary>Why the run was stopped from here; training itself must not hear exceptions.</summary>
    public AsniException? Failure { get; private set; }

    public void PhaseStarted(string phase, int epochs) => display.PhaseStarted();

    public void StepDone(in StepProgress progress) => display.StepDone(progress);

    public void EpochDone(EpochRecord record)
    {
        display.EpochDone(record);
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

    public void Note(TrainingNote note) => display.Note(Remedies.Sentence(note));
}

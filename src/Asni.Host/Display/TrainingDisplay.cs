using Asni.Reports;
using Asni.Training;

namespace Asni.Host.Display;

/// <summary>A line an epoch, in columns: all there is when the output is no terminal.</summary>
internal class TrainingDisplay(HostConsole console, int totalEpochs)
{
    private readonly TimeLeft _left = new(totalEpochs);

    protected HostConsole Console { get; } = console;

    public static TrainingDisplay For(HostConsole console, int totalEpochs) =>
        console.IsLive ? new LiveTrainingDisplay(console, totalEpochs) : new TrainingDisplay(console, totalEpochs);

    /// <summary>Runs the training; live displays redraw while it runs.</summary>
    public virtual void Around(Action training) => training();

    public virtual void Note(string message) => Console.Line("note: " + message);

    public void PhaseStarted() =>
        Console.Line(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{"phase",-8}{"epoch",9}{"loss",10}{"test loss",11}{"top-1",10}{"sparsity",11}{"kept",13}{"images/s",11}{"left",9}"));

    public void EpochDone(EpochRecord r)
    {
        _left.EpochDone();
        string left = Left(new StepProgress(r.Phase, r.Epoch, r.Epochs, 0, 1, r.ImagesPerSecond));
        Console.Line(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{r.Phase,-8}{$"{r.Epoch + 1}/{r.Epochs}",9}{Show.Loss(r.TrainLoss),10}{Show.Loss(r.TestLoss),11}{Show.Percent(r.TestTop1),10}"
            + $"{Show.Percent(r.Sparsity),11}{r.Kept,13:N0}{r.ImagesPerSecond,11:N0}{left,9}"));
    }

    public virtual void StepDone(in StepProgress progress)
    {
    }

    protected string Left(in StepProgress progress) => _left.Estimate(progress) is { } time ? Show.Time(time) : "";
}

using Asni.Runs;
using Asni.Training;

namespace Asni.Host.Display;

/// <summary>A line an epoch, in columns: all there is when the output is no terminal.</summary>
internal class TrainingDisplay(HostConsole console, long totalEpochs)
{
    private readonly TimeLeft _left = new(totalEpochs);

    protected HostConsole Console { get; } = console;

    public static TrainingDisplay For(HostConsole console, long totalEpochs) =>
        console.IsLive ? new LiveTrainingDisplay(console, totalEpochs) : new TrainingDisplay(console, totalEpochs);

    /// <summary>Runs the training; live displays redraw while it runs.</summary>
    public virtual void Around(Action training) => training();

    public void Note(string message) => Console.Note(message);

    public void OnPhaseStarted() => Console.Line(Row(c => c.Head));

    public void OnEpochCompleted(EpochRecord r)
    {
        _left.OnEpochCompleted();
        Console.Line(Row(c => c.Cell(r)));
    }

    /// <summary>A column, and its rank: those of higher rank go where a line does not have room for all.</summary>
    private sealed record Column(string Head, int Width, int Rank, Func<EpochRecord, string> Cell);

    private Column[] Columns() =>
    [
        new("phase", -8, 0, r => r.Phase),
        new("epoch", 9, 1, r => $"{r.Epoch + 1}/{r.Epochs}"),
        new("loss", 10, 4, r => Format.Loss(r.TrainLoss)),
        new("test loss", 11, 7, r => Format.Loss(r.TestLoss)),
        new("top-1", 10, 2, r => Format.Percent(r.TestTop1)),
        new("sparsity", 11, 3, r => Format.Percent(r.Sparsity)),
        new("kept", 13, 8, r => Format.Count(r.Kept)),
        new("images/s", 11, 5, r => Format.Number(r.ImagesPerSecond, "N0")),
        new("left", 9, 6, r => Left(new StepProgress(r.Phase, r.Epoch, r.Epochs, 0, 1, r.ImagesPerSecond))),
    ];

    /// <summary>What fits on a line, of the columns by their rank; all of a file's.</summary>
    private string Row(Func<Column, string> cell)
    {
        Column[] columns = Columns();
        int used = 0, ranks = columns.OrderBy(c => c.Rank).TakeWhile(c => (used += Math.Abs(c.Width)) < Console.Width).Count();
        return string.Concat(columns.Where(c => c.Rank < ranks).Select(c => c.Width < 0 ? cell(c).PadRight(-c.Width) : cell(c).PadLeft(c.Width)));
    }

    public virtual void OnStepCompleted(in StepProgress progress)
    {
    }

    protected string Left(in StepProgress progress) => _left.Estimate(progress) is { } time ? Format.Time(time) : "";
}

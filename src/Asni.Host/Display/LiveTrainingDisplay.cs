using Asni.Training;
using Spectre.Console;

namespace Asni.Host.Display;

/// <summary>The same lines, and under them one that moves: where the epoch is, how fast, how long to go.</summary>
internal sealed class LiveTrainingDisplay(HostConsole console, int totalEpochs) : TrainingDisplay(console, totalEpochs)
{
    private const int BarWidth = 24;
    private LiveDisplayContext? _live;

    public override void Around(Action training) =>
        Console.Screen.Live(new Text("")).AutoClear(true).Start(live =>
        {
            _live = live;
            try
            {
                training();
            }
            finally
            {
                _live = null;
            }
        });

    public override void Note(string message) => Console.Screen.MarkupLineInterpolated($"[yellow]note: {message}[/]");

    public override void StepDone(in StepProgress p)
    {
        int filled = p.Steps > 0 ? Math.Min(BarWidth, BarWidth * p.Step / p.Steps) : 0;
        string bar = new string('━', filled) + "[grey]" + new string('━', BarWidth - filled) + "[/]";
        _live?.UpdateTarget(new Markup(
            $"{Markup.Escape(p.Phase)} epoch {p.Epoch + 1}/{p.Epochs} [green]{bar}[/] step {Show.Count(p.Step)}/{Show.Count(p.Steps)}  "
            + $"{Show.Number(p.ImagesPerSecond, "N0")} images/s  {Left(p)} left"));
    }
}

using Asni.Training;
using Spectre.Console;

namespace Asni.Host.Display;

/// <summary>The same lines, and under them one that moves: where the epoch is, how fast, how long to go.</summary>
internal sealed class LiveTrainingDisplay(HostConsole console, long totalEpochs) : TrainingDisplay(console, totalEpochs)
{
    private const int MaximalBar = 24;
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

    public override void OnStepCompleted(in StepProgress p)
    {
        string before = $"{p.Phase} epoch {p.Epoch + 1}/{p.Epochs} ";
        string after = $" step {Format.Count(p.Step)}/{Format.Count(p.Steps)}  {Format.Number(p.ImagesPerSecond, "N0")} images/s  {Left(p)} left";
        int bar = Math.Clamp(Console.Width - 1 - before.Length - after.Length, 0, MaximalBar);
        int filled = p.Steps > 0 ? Math.Min(bar, bar * p.Step / p.Steps) : 0;
        _live?.UpdateTarget(new Markup($"{Markup.Escape(before)}[green]{new string('━', filled)}[/][grey]{new string('━', bar - filled)}[/]{Markup.Escape(after)}"));
    }
}

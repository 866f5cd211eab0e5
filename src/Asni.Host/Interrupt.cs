using System.Runtime.InteropServices;

namespace Asni.Host;

/// <summary>Ctrl-C, SIGTERM, SIGUSR1 (which launchers of several ranks and schedulers pass on) and, when the terminal goes, SIGHUP: the first asks the work to stop after its step, the second ends the process as usual.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;
    private volatile bool _requested;

    /// <param name="requested">Called once, on another thread.</param>
    public Interrupt(Action requested)
    {
        void Handle(PosixSignalContext context)
        {
            // It may come twice: from the launcher, and from a scheduler to each rank.
            context.Cancel = !_requested || (int)context.Signal > 0;
            if (_requested) return;
            _requested = true;
            _source.Cancel();
            requested();
        }
        PosixSignal[] user = OperatingSystem.IsWindows() ? [] : [(PosixSignal)(OperatingSystem.IsLinux() ? 10 : 30)];
        _signals = [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, .. user]).Select(s => PosixSignalRegistration.Create(s, Handle))];
    }

    /// <summary>True once a signal came; <see cref="Stop"/> does not count.</summary>
    public bool Requested => _requested;
    public CancellationToken Token => _source.Token;

    /// <summary>Stops the work for another reason.</summary>
    public void Stop() => _source.Cancel();

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals) signal.Dispose();
        _source.Dispose();
    }
}

using System.Diagnostics;
using System.Globalization;

namespace Asni.Fuzz;

/// <summary>Time and memory of one input at a time, against what a file of its size may take.</summary>
internal sealed class Watch
{
    /// <summary>Seconds of the processor and of the clock: either alone says more of the machine.</summary>
    public const double MaxSeconds = 2;

    /// <summary>A reader that takes so long never ends.</summary>
    private const double HangSeconds = 30;

    private const long MaxFreeBytes = 512L << 20, FreeBytes = 64L << 20, BytesPerByte = 64;

    /// <summary>Garbage of earlier inputs is not this one's memory.</summary>
    private const long MaxGarbage = 128L << 20;

    private long _startedAt;
    private long _peak;

    /// <summary>Calls once when an input does not end.</summary>
    public Watch(Action hangs)
    {
        var thread = new Thread(() =>
        {
            while (true)
            {
                Thread.Sleep(500);
                long started = Interlocked.Read(ref _startedAt);
                if (started == 0 || Stopwatch.GetElapsedTime(started).TotalSeconds < HangSeconds) continue;
                hangs();
                return;
            }
        })
        { IsBackground = true };
        thread.Start();
    }

    public double LongestSeconds { get; private set; }

    /// <summary>Largest memory of the process, garbage and the runtime included, that an input led to.</summary>
    public long LargestBytes { get; private set; }

    public static long Allowance(int fileBytes) => Math.Max(MaxFreeBytes, BytesPerByte * fileBytes + FreeBytes);

    /// <summary>Runs, and says what was too much; null when nothing was.</summary>
    public string? Time(int fileBytes, Action run)
    {
        // Nor is what the collector keeps for later.
        if (GC.GetTotalMemory(false) > MaxGarbage) GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        long started = Stopwatch.GetTimestamp();
        Interlocked.Exchange(ref _startedAt, started);
        try
        {
            run();
        }
        finally
        {
            Interlocked.Exchange(ref _startedAt, 0);
            double wall = Stopwatch.GetElapsedTime(started).TotalSeconds, seconds = Math.Min(wall, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
            LongestSeconds = Math.Max(LongestSeconds, seconds);
            // Memory that is taken is written to, and that takes time: short inputs need no look.
            _peak = wall > 0.002 ? PeakBytes() : 0;
            LargestBytes = Math.Max(LargestBytes, _peak);
            TooMuch = seconds > MaxSeconds ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s for {fileBytes} bytes")
                : _peak > Allowance(fileBytes) ? string.Create(CultureInfo.InvariantCulture, $"{_peak >> 20} MiB for {fileBytes} bytes") : null;
        }
        return TooMuch;
    }

    /// <summary>Of the last input, also when it threw.</summary>
    public string? TooMuch { get; private set; }

    /// <summary>Since the last call that found more than was allowed, or the start: the kernel keeps the largest.</summary>
    private static long PeakBytes()
    {
        if (!OperatingSystem.IsLinux()) return Process.GetCurrentProcess().PeakWorkingSet64;
        long kibibytes = 0;
        foreach (string line in File.ReadLines("/proc/self/status"))
            if (line.StartsWith("VmHWM:", StringComparison.Ordinal)) kibibytes = long.Parse(line.AsSpan(6).TrimEnd("kB ").Trim(), CultureInfo.InvariantCulture);
        if (kibibytes << 10 > MaxFreeBytes) File.WriteAllText("/proc/self/clear_refs", "5");
        return kibibytes << 10;
    }
}

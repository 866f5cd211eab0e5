using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Asni.Bench;

/// <summary>What may bound a computation on this machine.</summary>
public enum Bound
{
    /// <summary>Multiply-adds in registers, GFLOP/s.</summary>
    Peak,

    /// <summary>Reading: a sum, GB/s read.</summary>
    Read,

    /// <summary>Update in place: x = a * x + b, GB/s read plus written.</summary>
    Update,

    /// <summary>A copy to another place, GB/s read plus written.</summary>
    Copy,
}

/// <summary>
/// What this machine can do at most, measured with all processors. Rates of memory are measured over as many bytes as the computation they
/// are compared with touches: what fits the caches is many times as fast as memory. Each is the first quartile of the times, since a limit
/// is what the machine does when nothing disturbs it.
/// </summary>
internal static unsafe class Limits
{
    /// <summary>Far larger than the caches; more than this is not tried.</summary>
    public const long MemoryBytes = 512L << 20;

    private const int Iterations = 4_000_000;
    private const double Seconds = 0.3;

    private static readonly Dictionary<(Bound Bound, long Bytes), double> s_best = [];

    /// <summary>Prints a line of JSON, which bench/peers reads.</summary>
    /// <exception cref="UsageException">There are arguments.</exception>
    public static int Print(string[] args)
    {
        if (args.Length > 0) throw new UsageException("limits takes no arguments.");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"peak_gflops\": {Get(Bound.Peak):f0}, \"read_gbytes_per_second\": {Get(Bound.Read):f1}, "
            + $"\"update_gbytes_per_second\": {Get(Bound.Update):f1}, \"copy_gbytes_per_second\": {Get(Bound.Copy):f1}}}"));
        return 0;
    }

    /// <summary>
    /// GFLOP/s for <see cref="Bound.Peak"/>, else GB/s over this many bytes: the best measured so far, over as many bytes or more. Measured at
    /// once if it never was.
    /// </summary>
    public static double Get(Bound bound, long bytes = MemoryBytes)
    {
        (Bound, long Bytes) key = Key(bound, bytes);
        if (!s_best.ContainsKey(key)) Measure(bound, bytes);
        return s_best.Where(e => e.Key.Bound == bound && e.Key.Bytes >= key.Bytes).Max(e => e.Value);
    }

    /// <summary>Measures (again): just before a benchmark, so that both see the machine in the same state.</summary>
    public static void Measure(Bound bound, long bytes = MemoryBytes)
    {
        (Bound, long) key = Key(bound, bytes);
        double rate = bound == Bound.Peak ? PeakGflops() : Gbytes(bound, key.Item2);
        s_best[key] = Math.Max(rate, s_best.GetValueOrDefault(key));
    }

    public static string Unit(Bound bound) => bound == Bound.Peak ? "GFLOP/s" : "GB/s";

    private static (Bound Bound, long Bytes) Key(Bound bound, long bytes) => (bound, bound == Bound.Peak ? 0 : Math.Min(bytes, MemoryBytes));

    private static double PeakGflops()
    {
        int lanes = Vector512.IsHardwareAccelerated ? 16 : 8;
        double milliseconds = Quartile(() => OnAllProcessors((_, _) => MultiplyAdd()));
        return 2.0 * lanes * 12 * Iterations * Environment.ProcessorCount / milliseconds / 1e6;
    }

    /// <summary>Each processor goes over its own share of the bytes, again and again when they are few.</summary>
    private static double Gbytes(Bound bound, long bytes)
    {
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        new Span<float>(memory, (int)(bytes / sizeof(float))).Fill(1);
        int sweeps = (int)Math.Max(1, MemoryBytes / bytes);
        double milliseconds = Quartile(() => OnAllProcessors((processor, processors) =>
        {
            const int block = 64; // floats, what a turn of the loops below takes
            long share = bytes / sizeof(float) / processors / (2 * block) * 2 * block;
            float* start = memory + processor * share;
            for (int i = 0; i < sweeps; i++)
            {
                if (bound == Bound.Read) Sum(start, share);
                else if (bound == Bound.Update) Scale(start, share);
                else NativeMemory.Copy(start, start + share / 2, (nuint)(share / 2 * sizeof(float)));
            }
        }));
        NativeMemory.AlignedFree(memory);
        // An update reads and writes every byte; a copy reads one half of the bytes and writes the other.
        return (double)bytes * sweeps * (bound == Bound.Update ? 2 : 1) / milliseconds / 1e6;
    }

    private static double Quartile(Action action)
    {
        double[] times = Steps.Measure(action, Seconds);
        return times[times.Length / 4];
    }

    private static void OnAllProcessors(Action<int, int> body)
    {
        var threads = new Thread[Environment.ProcessorCount];
        for (int i = 0; i < threads.Length; i++)
        {
            int processor = i;
            threads[i] = new Thread(() => body(processor, threads.Length));
            threads[i].Start();
        }
        foreach (Thread thread in threads) thread.Join();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sum(float* x, long count)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (float* end = x + count; x < end; x += 64)
        {
            a += Vector512.Load(x);
            b += Vector512.Load(x + 16);
            c += Vector512.Load(x + 32);
            d += Vector512.Load(x + 48);
        }
        return Vector512.Sum(a + b + c + d);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Scale(float* x, long count)
    {
        Vector512<float> a = Vector512.Create(0.999f), b = Vector512.Create(1e-3f);
        for (float* end = x + count; x < end; x += 64)
        {
            Vector512.FusedMultiplyAdd(Vector512.Load(x), a, b).Store(x);
            Vector512.FusedMultiplyAdd(Vector512.Load(x + 16), a, b).Store(x + 16);
            Vector512.FusedMultiplyAdd(Vector512.Load(x + 32), a, b).Store(x + 32);
            Vector512.FusedMultiplyAdd(Vector512.Load(x + 48), a, b).Store(x + 48);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float MultiplyAdd()
    {
        if (!Vector512.IsHardwareAccelerated) return MultiplyAdd256();
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(1e-3f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < Iterations; n++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y); b = Vector512.FusedMultiplyAdd(b, x, y); c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y); e = Vector512.FusedMultiplyAdd(e, x, y); f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y); h = Vector512.FusedMultiplyAdd(h, x, y); i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y); k = Vector512.FusedMultiplyAdd(k, x, y); l = Vector512.FusedMultiplyAdd(l, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    private static float MultiplyAdd256()
    {
        Vector256<float> x = Vector256.Create(0.999f), y = Vector256.Create(1e-3f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int n = 0; n < Iterations; n++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y); b = Vector256.FusedMultiplyAdd(b, x, y); c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y); e = Vector256.FusedMultiplyAdd(e, x, y); f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y); h = Vector256.FusedMultiplyAdd(h, x, y); i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y); k = Vector256.FusedMultiplyAdd(k, x, y); l = Vector256.FusedMultiplyAdd(l, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}

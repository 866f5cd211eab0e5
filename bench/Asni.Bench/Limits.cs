using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Asni.Bench;

/// <summary>What this machine can do at most, measured: multiply-adds in registers, and a copy of memory far larger than the caches.</summary>
internal static unsafe class Limits
{
    private const int Iterations = 4_000_000;
    private const long CopyBytes = 256L << 20;

    public static int Print()
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"peak_gflops\": {PeakGflops():f0}, \"copy_gbytes_per_second\": {CopyGbytes():f1}}}"));
        return 0;
    }

    /// <summary>fp32 GFLOP/s of all processors.</summary>
    public static double PeakGflops()
    {
        int threads = Environment.ProcessorCount;
        double[] times = Steps.Measure(() => Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => MultiplyAdd()), 1);
        int lanes = Vector512.IsHardwareAccelerated ? 16 : 8;
        return 2.0 * lanes * 12 * Iterations * threads / times[times.Length / 4] / 1e6;
    }

    /// <summary>GB/s read plus written by a copy on all processors.</summary>
    public static double CopyGbytes()
    {
        int threads = Environment.ProcessorCount;
        byte* from = (byte*)NativeMemory.AlignedAlloc((nuint)CopyBytes, 64), to = (byte*)NativeMemory.AlignedAlloc((nuint)CopyBytes, 64);
        NativeMemory.Fill(from, (nuint)CopyBytes, 1);
        NativeMemory.Fill(to, (nuint)CopyBytes, 2);
        long share = CopyBytes / threads;
        double[] times = Steps.Measure(() => Parallel.For(0, threads, i => NativeMemory.Copy(from + i * share, to + i * share, (nuint)share)), 1);
        NativeMemory.AlignedFree(from);
        NativeMemory.AlignedFree(to);
        return 2.0 * CopyBytes / times[times.Length / 2] / 1e6;
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

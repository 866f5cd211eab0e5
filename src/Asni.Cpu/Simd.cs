using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Asni.Cpu;

/// <summary>The vector width that the kernels run with: the widest that the machine has, or less when ASNI_SIMD says 256 or 128.</summary>
internal static class Simd
{
    /// <summary>Bits of a vector register: 512, 256 or 128.</summary>
    public static int Width { get; } = Choose(Environment.GetEnvironmentVariable("ASNI_SIMD"));

    /// <summary>Whether the processor does 512-bit operations in two halves, as AMD's Zen 4 does (family 19h): half the multiply-adds a cycle of others.</summary>
    public static bool SplitsVectors { get; } = Width == 512 && IsZen4();

    /// <summary>Bits of a vector register that the processor works on at once.</summary>
    public static int WorkingWidth => SplitsVectors ? 256 : Width;

    /// <summary>So many floats in whole vectors.</summary>
    public static int Whole(int floats)
    {
        int lanes = Width / 32;
        return (floats + lanes - 1) / lanes * lanes;
    }

    /// <summary>For people: "AVX-512", "AVX2", "128-bit SIMD" or "no SIMD".</summary>
    public static string Description => Width switch
    {
        512 => "AVX-512",
        256 => "AVX2",
        _ => Vector128.IsHardwareAccelerated ? "128-bit SIMD" : "no SIMD",
    };

    private static bool IsZen4()
    {
        if (!X86Base.IsSupported) return false;
        const int amd = 0x68747541; // "Auth" of AuthenticAMD
        (_, int vendor, _, _) = X86Base.CpuId(0, 0);
        (int version, _, _, _) = X86Base.CpuId(1, 0);
        int family = (version >> 8 & 0xf) + (version >> 20 & 0xff);
        return vendor == amd && family == 0x19;
    }

    private static int Choose(string? wanted)
    {
        int widest = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
        return wanted switch
        {
            null or "" => widest,
            "512" or "256" or "128" => Math.Min(widest, int.Parse(wanted)),
            _ => throw new UsageException($"ASNI_SIMD is '{wanted}', expected 512, 256 or 128; unset it to use the widest vectors of this machine"),
        };
    }
}

/// <summary>A parallel body written once for all vector widths: L has the operations, V is the register.</summary>
internal interface IVectorBody
{
    void Execute<L, V>(int worker, int workers) where L : struct, ILanes<V> where V : struct;
}

/// <summary>Runs a width-generic body with the width of <see cref="Simd"/>.</summary>
internal readonly struct Vectorized<TBody>(TBody body) : IParallelBody where TBody : struct, IVectorBody
{
    private readonly TBody _body = body;

    public void Execute(int worker, int workers)
    {
        switch (Simd.Width)
        {
            case 512: _body.Execute<Lanes512, Vector512<float>>(worker, workers); break;
            case 256: _body.Execute<Lanes256, Vector256<float>>(worker, workers); break;
            default: _body.Execute<Lanes128, Vector128<float>>(worker, workers); break;
        }
    }
}

internal static class WorkersExtensions
{
    /// <summary>Below this many elements a region costs less on one thread than waking the others.</summary>
    public const long SmallestParallel = 32 * 1024;

    /// <summary>Runs the body on all workers, or on the caller alone when there are few elements.</summary>
    public static void Vectorize<TBody>(this Workers workers, long elements, TBody body) where TBody : struct, IVectorBody
    {
        var vectorized = new Vectorized<TBody>(body);
        workers.RunSized(elements, ref vectorized);
    }

    /// <summary>Runs the body on all workers, or on the caller alone (worker 0 of 1) when there are few elements.</summary>
    public static void RunSized<TBody>(this Workers workers, long elements, ref TBody body) where TBody : struct, IParallelBody
    {
        if (elements < SmallestParallel) body.Execute(0, 1);
        else workers.Run(ref body);
    }
}

/// <summary>How work is shared: contiguous parts that depend on the number of workers only.</summary>
internal static class Partition
{
    /// <summary>This worker's part of 0 .. count - 1, its ends multiples of <paramref name="grain"/>.</summary>
    public static (long From, long To) Range(long count, int worker, int workers, int grain = 1)
    {
        long grains = (count + grain - 1) / grain;
        return (Math.Min(count, grains * worker / workers * grain), Math.Min(count, grains * (worker + 1) / workers * grain));
    }
}

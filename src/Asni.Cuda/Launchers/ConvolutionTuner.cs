using Asni.Cuda.Driver;
using Asni.Cuda.Libraries;
using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Chooses, for each pass of each shape, tiles and splits or a library. On a GPU the candidates are timed once, and the fastest is remembered on disk
/// for this GPU and driver; in the simulator, with ASNI_AUTOTUNE=0, or without memory to measure in, a rule decides.
/// </summary>
/// <param name="runtime">The device's.</param>
/// <param name="cache">Where measured choices are kept; null: the rule decides.</param>
internal sealed class ConvolutionTuner(ConvolutionRuntime runtime, TuningCache? cache)
{
    /// <summary>Scratch memory that splits may take, in bytes: what they save must not cost the batch its room.</summary>
    private const long MaxPartialBytes = 128L << 20;
    private const int Warmups = 2, Repeats = 5, PatternWords = 1 << 16;

    /// <summary>Whether timing candidates means anything here, and the user has not forbidden it.</summary>
    public static bool MayMeasure(CudaContext context) => !context.IsSimulator && Environment.GetEnvironmentVariable("ASNI_AUTOTUNE") != "0";

    /// <summary>
    /// The choice for a shape; measures at most once a GPU, driver, build of the kernels, libraries' versions, shape, pass, precision and batch.
    /// </summary>
    /// <param name="shape">The layer.</param>
    /// <param name="pass">Of the layer.</param>
    /// <param name="samples">The batch.</param>
    /// <param name="plain">The pass has neither bias nor activation: then a library may do it.</param>
    /// <param name="statistics">A batch-norm follows: a choice that leaves it no statistics costs another reading of the output.</param>
    public ConvolutionChoice Choose(in ConvolutionShape shape, ConvolutionPass pass, int samples, bool plain, bool statistics)
    {
        TileChoice rule = Rule(shape, pass, samples);
        if (cache == null) return rule;
        string gpu = $"{runtime.Stream.Context.Name}, driver {CudaContext.DriverVersion()}, kernels {runtime.Kernels.Fingerprint}"
            + (runtime.CuBlas is { } blas ? $", cuBLAS {blas.Version}" : "") + (runtime.CuDnn is not null ? $", cuDNN {CuDnn.Version}" : "")
            + (runtime.HasWgmma ? "" : ", without wgmma");
        string key = $"{ConvolutionTile.PrecisionName(runtime.Precision)} {pass}{(plain ? "" : " with epilogue")}{(statistics ? " with statistics" : "")}, {samples} of {shape}";
        List<ConvolutionChoice> candidates = Candidates(shape, pass, samples, rule, plain);
        string? known = cache.Find(gpu, key);
        foreach (ConvolutionChoice candidate in candidates)
            if (candidate.ToString() == known) return candidate;
        try
        {
            double[] times = Measure(candidates, shape, pass, samples, statistics);
            if (times.All(double.IsInfinity)) return rule;
            ConvolutionChoice best = candidates[Array.IndexOf(times, times.Min())];
            cache.Add(gpu, key, best.ToString());
            return best;
        }
        catch (DeviceMemoryException)
        {
            return rule;
        }
    }

    /// <summary>The choice without measuring.</summary>
    internal TileChoice Rule(in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        Affordable(TileChoice.Default(runtime.Precision, pass, shape, samples, runtime.Multiprocessors, runtime.MaxSharedBytes, runtime.HasWgmma),
            shape, pass, samples);

    /// <summary>
    /// All tiles that take the shape, each with a few numbers of splits, as it is and with padded channels, and the libraries; the rule's own choice first.
    /// </summary>
    internal List<ConvolutionChoice> Candidates(in ConvolutionShape shape, ConvolutionPass pass, int samples, TileChoice rule, bool plain)
    {
        var candidates = new List<ConvolutionChoice> { rule };
        candidates.AddRange(TileChoices(shape, pass, samples).Where(c => c != rule));
        if (PaddedChoice.Padded(runtime.Precision, pass, shape, samples) is { } padded)
            candidates.AddRange(TileChoices(padded, pass, samples).Select(c => new PaddedChoice(c)));
        if (plain) candidates.AddRange(LibraryChoice.For(runtime, pass, shape));
        return candidates;
    }

    private List<TileChoice> TileChoices(in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        var choices = new List<TileChoice>();
        MatrixProduct product = shape.ProductOf(pass, samples);
        foreach (ConvolutionTile tile in ConvolutionTile.For(runtime.Precision, pass, shape, runtime.MaxSharedBytes, runtime.HasWgmma))
        {
            int max = TileChoice.MaxSplits(tile, product);
            long blocks = tile.Tiles(product) * product.Count;
            for (int waves = 0; waves <= 4; waves = waves == 0 ? 1 : waves * 2)
            {
                long splits = waves == 0 ? 1 : Math.Min(max, (long)waves * runtime.Multiprocessors / blocks);
                if (splits < 1) continue;
                TileChoice choice = Affordable(new(tile, (int)splits), shape, pass, samples);
                if (!choices.Contains(choice)) choices.Add(choice);
            }
        }
        return choices;
    }

    /// <summary>Milliseconds of each candidate; infinite where a library or the GPU refuses.</summary>
    internal double[] Measure(IReadOnlyList<ConvolutionChoice> candidates, in ConvolutionShape shape, ConvolutionPass pass, int samples,
        bool statistics = false)
    {
        long input = shape.InputElements(samples) * runtime.ElementBytes, output = shape.OutputElements(samples) * runtime.ElementBytes;
        long filter = shape.FilterElements * sizeof(float);
        CudaContext context = runtime.Stream.Context;
        using CudaMemory x = Numbers(context, input), w = Numbers(context, filter), y = Numbers(context, output);
        (CudaMemory a, CudaMemory b, CudaMemory result) = pass switch
        {
            ConvolutionPass.Forward => (x, w, y),
            ConvolutionPass.DataGradient => (y, w, x),
            _ => (y, x, w),
        };
        var call = new ConvolutionCall(a.Pointer, b.Pointer, samples, result.Pointer);
        using CudaMemory? sums = statistics ? new CudaMemory(context, StatisticsBytes(shape, samples)) : null;
        // What batch-norm's own pass over the output takes: a copy of half of it moves as many bytes.
        long half = output / 2;
        double reading = statistics ? Milliseconds(() => runtime.Stream.Copy(y.Pointer + (ulong)half, y.Pointer, half)) : 0;
        ReserveScratch(candidates, shape, pass, samples);
        var times = new double[candidates.Count];
        for (int i = 0; i < times.Length; i++)
        {
            try
            {
                using ConvolutionProduct product = candidates[i].Create(runtime, shape, pass, samples);
                bool fused = sums is not null && product.StatisticsRows > 0;
                ConvolutionCall each = fused ? call with { Statistics = sums!.Pointer } : call;
                times[i] = Milliseconds(() => product.Run(each)) + (fused ? 0 : reading);
            }
            catch (AsniException e) when (e is CudaLibraryException or DeviceMemoryException or CudaException { IsRefusedLaunch: true })
            {
                times[i] = double.PositiveInfinity;
            }
        }
        return times;
    }

    /// <summary>Scratch memory is never given back: one piece for the neediest candidate, not a larger one for each.</summary>
    private void ReserveScratch(IReadOnlyList<ConvolutionChoice> candidates, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        long max = 0;
        foreach (ConvolutionChoice candidate in candidates) max = Math.Max(max, candidate.ScratchBytes(runtime, shape, pass, samples));
        try
        {
            runtime.Scratch(max);
        }
        catch (DeviceMemoryException)
        {
            // Candidates that need less are timed all the same.
        }
    }

    /// <summary>Of the smallest tiles' statistics.</summary>
    private static long StatisticsBytes(in ConvolutionShape shape, int samples) =>
        2 * ConvolutionShape.CeilDivide(shape.OutputRows(samples), ConvolutionTile.All.Min(t => t.Rows)) * shape.OutChannels * sizeof(float);

    private double Milliseconds(Action action)
    {
        using CudaEvent start = new(runtime.Stream.Context), end = new(runtime.Stream.Context);
        for (int i = 0; i < Warmups; i++) action();
        start.Record(runtime.Stream);
        for (int i = 0; i < Repeats; i++) action();
        end.Record(runtime.Stream);
        end.Synchronize();
        return end.MillisecondsSince(start) / Repeats;
    }

    private static TileChoice Affordable(TileChoice choice, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        long each = SplitSum.Pitch(shape.ResultElements(pass, samples)) * sizeof(float);
        return choice with { Splits = (int)Math.Clamp(MaxPartialBytes / each, 1, choice.Splits) };
    }

    /// <summary>
    /// Memory full of random numbers from -1 to 1, in bf16 as in fp32: with equal ones a GPU draws less power and its matrix units run faster than in
    /// training.
    /// </summary>
    private CudaMemory Numbers(CudaContext context, long bytes)
    {
        var random = new SplitMix64(1);
        var pattern = new uint[(int)Math.Min((bytes + 3) / 4, PatternWords)];
        for (int i = 0; i < pattern.Length; i++) pattern[i] = Bf16(random) << 16 | Bf16(random);
        var memory = new CudaMemory(context, (bytes + 3) / 4 * 4);
        runtime.Stream.Upload<uint>(memory.Pointer, pattern);
        long done = pattern.Length * sizeof(uint);
        for (; done < memory.Bytes; done = Math.Min(2 * done, memory.Bytes))
            runtime.Stream.Copy(memory.Pointer + (ulong)done, memory.Pointer, Math.Min(done, memory.Bytes - done));
        return memory;
    }

    private static uint Bf16(SplitMix64 random) => BitConverter.SingleToUInt32Bits(2 * random.NextSingle() - 1) >> 16;
}

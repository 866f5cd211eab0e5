using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda.Launchers;

/// <summary>
/// Chooses tiles and splits for each pass of each shape. On a GPU the candidates are timed once, and the fastest is remembered on disk for
/// this GPU and driver; in the simulator, with ASNI_AUTOTUNE=0, or without memory to measure in, a rule decides.
/// </summary>
/// <param name="runtime">The device's.</param>
/// <param name="cache">Where measured choices are kept; null: the rule decides.</param>
internal sealed class ConvolutionTuner(ConvolutionRuntime runtime, TuningCache? cache)
{
    /// <summary>Scratch memory that splits may take, in bytes: what they save must not cost the batch its room.</summary>
    private const long MaxPartialBytes = 128L << 20;
    private const int Warmups = 2, Repeats = 5;

    /// <summary>Whether timing candidates means anything here, and the user has not forbidden it.</summary>
    public static bool MayMeasure(CudaContext context) => !context.IsSimulator && Environment.GetEnvironmentVariable("ASNI_AUTOTUNE") != "0";

    /// <summary>The choice for a shape; measures at most once a GPU, driver, shape, pass, precision and batch.</summary>
    public ConvolutionChoice Choose(in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        ConvolutionChoice rule = Rule(shape, pass, samples);
        if (cache == null) return rule;
        string gpu = $"{runtime.Stream.Context.Name}, driver {CudaContext.DriverVersion()}";
        string key = $"{ConvolutionTile.PrecisionName(runtime.Precision)} {pass}, {samples} of {shape}";
        List<ConvolutionChoice> candidates = Candidates(shape, pass, samples, rule);
        string? known = cache.Find(gpu, key);
        foreach (ConvolutionChoice candidate in candidates)
            if (candidate.ToString() == known) return candidate;
        try
        {
            ConvolutionChoice best = Fastest(candidates, shape, pass, samples);
            cache.Add(gpu, key, best.ToString());
            return best;
        }
        catch (DeviceMemoryException)
        {
            return rule;
        }
    }

    /// <summary>The choice without measuring.</summary>
    internal ConvolutionChoice Rule(in ConvolutionShape shape, ConvolutionPass pass, int samples) =>
        Affordable(ConvolutionChoice.Default(runtime.Precision, pass, shape, samples, runtime.Multiprocessors, runtime.MaxSharedBytes),
            shape, pass, samples);

    /// <summary>All tiles that take the shape, each with a few numbers of splits; the rule's own choice first.</summary>
    internal List<ConvolutionChoice> Candidates(in ConvolutionShape shape, ConvolutionPass pass, int samples, ConvolutionChoice rule)
    {
        var candidates = new List<ConvolutionChoice> { rule };
        Product product = shape.ProductOf(pass, samples);
        foreach (ConvolutionTile tile in ConvolutionTile.For(runtime.Precision, pass, shape, runtime.MaxSharedBytes))
        {
            int most = ConvolutionChoice.MaxSplits(tile, product);
            long blocks = tile.Tiles(product) * product.Count;
            for (int waves = 0; waves <= 4; waves = waves == 0 ? 1 : waves * 2)
            {
                long splits = waves == 0 ? 1 : Math.Min(most, (long)waves * runtime.Multiprocessors / blocks);
                if (splits < 1) continue;
                ConvolutionChoice choice = Affordable(new(tile, (int)splits), shape, pass, samples);
                if (!candidates.Contains(choice)) candidates.Add(choice);
            }
        }
        return candidates;
    }

    private static ConvolutionChoice Affordable(ConvolutionChoice choice, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        long each = SplitSum.Pitch(shape.ResultElements(pass, samples)) * sizeof(float);
        return choice with { Splits = (int)Math.Clamp(MaxPartialBytes / each, 1, choice.Splits) };
    }

    private ConvolutionChoice Fastest(List<ConvolutionChoice> candidates, in ConvolutionShape shape, ConvolutionPass pass, int samples)
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
        using CudaEvent start = new(context), end = new(context);
        float least = float.PositiveInfinity;
        ConvolutionChoice best = candidates[0];
        foreach (ConvolutionChoice candidate in candidates)
        {
            var product = new ConvolutionProduct(runtime, shape, pass, samples, candidate);
            for (int i = 0; i < Warmups; i++) product.Run(a.Pointer, b.Pointer, 0, Activation.None, false, samples, result.Pointer);
            start.Record(runtime.Stream);
            for (int i = 0; i < Repeats; i++) product.Run(a.Pointer, b.Pointer, 0, Activation.None, false, samples, result.Pointer);
            end.Record(runtime.Stream);
            end.Synchronize();
            float time = end.MillisecondsSince(start);
            if (time >= least) continue;
            least = time;
            best = candidate;
        }
        return best;
    }

    /// <summary>Memory full of small numbers, in bf16 as in fp32: 0x3c23 is 0.00995.</summary>
    private CudaMemory Numbers(CudaContext context, long bytes)
    {
        var memory = new CudaMemory(context, (bytes + 3) / 4 * 4);
        runtime.Stream.Fill32(memory.Pointer, 0x3c233c23, memory.Bytes / 4);
        return memory;
    }
}

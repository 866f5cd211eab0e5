using Asni.Cuda;
using Asni.Cuda.Launchers;
using Asni.Cuda.Libraries;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cuda;

/// <summary>The convolution kernels in each precision against products in double of the numbers as the precision stores them.</summary>
[TestFixture(CudaPrecision.Fp32)]
[TestFixture(CudaPrecision.Tf32)]
[TestFixture(CudaPrecision.Bf16)]
internal class ConvolutionKernelTests(CudaPrecision precision)
{
    private ConvolutionBench _bench = null!;

    [SetUp]
    public void Open() => _bench = new ConvolutionBench(precision);

    [TearDown]
    public void Close() => _bench?.Dispose();

    /// <summary>
    /// Channels that fill 16 bytes in every precision, and extents that fill no tile. Not all at once: a gradient of many channels and large filters
    /// would take longer than all the others.
    /// </summary>
    private static readonly ConvolutionSpec[] Aligned =
    [
        Spec(2, 16, 5, 7, 24, 3, 1, 1), Spec(3, 8, 9, 9, 40, 3, 2, 1), Spec(2, 64, 8, 8, 72, 1, 2, 0), Spec(2, 24, 6, 5, 32, 5, 1, 2),
        Spec(2, 24, 6, 5, 136, 2, 1, 0), Spec(5, 264, 1, 1, 104, 1, 1, 0),
        Spec(2, 32, 7, 9, 16, 3, 3, 0, 2), Spec(1, 16, 9, 7, 16, 5, 2, 2, 2), Spec(1, 8, 3, 3, 8, 1, 3, 3),
    ];

    private static readonly ConvolutionSpec[] Unaligned =
    [
        Spec(2, 3, 9, 9, 17, 7, 2, 3), Spec(1, 1, 1, 1, 1, 1, 1, 0), Spec(3, 17, 5, 7, 3, 3, 3, 1), Spec(2, 24, 9, 9, 3, 2, 3, 1, 3),
        Spec(2, 16, 5, 5, 32, 3, 1, 1, 16),
        Spec(3, 1, 9, 9, 16, 5, 1, 0), Spec(7, 105, 1, 1, 13, 1, 1, 0), Spec(2, 16, 4, 4, 10, 4, 1, 0),
    ];

    private static readonly ConvolutionSpec[] Depthwise =
        [Spec(2, 24, 7, 5, 24, 3, 1, 1, 24), Spec(3, 17, 9, 9, 17, 5, 2, 2, 17), Spec(1, 64, 6, 6, 64, 3, 2, 0, 64)];

    [TestCaseSource(nameof(Aligned))]
    [TestCaseSource(nameof(Unaligned))]
    [TestCaseSource(nameof(Depthwise))]
    public void A_layer_agrees_forward_and_backward(ConvolutionSpec spec)
    {
        (float[] x, float[] w, float[] dy, float[] old) = Operands(spec);
        float[] bias = _bench.Numbers(5, spec.Filter.Out);
        ConvolutionOperation operation = _bench.Runtime.Create(spec);
        DeviceTensor xt = _bench.Tensor(spec.Batch, spec.Input, x), yt = _bench.Tensor(spec.Batch, spec.Output, Nan(dy.Length));
        ParameterTensor wt = _bench.Weights(w, spec.Filter), db = _bench.Vector(Nan(bias.Length)), dw = _bench.Vector(Nan(w.Length));

        operation.Forward(xt, wt, _bench.Vector(bias), yt);
        float[] y = _bench.Read(yt);
        DeviceTensor dyt = _bench.Tensor(spec.Batch, spec.Output, dy), dxt = _bench.Tensor(spec.Batch, spec.Input, old);
        operation.BackwardOutput(yt, db, dyt);
        for (int i = 0; i < dy.Length; i++)
            if ((spec.Activation != Activation.None && y[i] <= 0) || (spec.Activation == Activation.Relu6 && y[i] >= 6)) dy[i] = 0;
        operation.BackwardWeights(xt, dyt, dw);
        operation.BackwardData(dyt, wt, true, dxt);

        var naive = new NaiveConvolution(spec, spec.Batch, x, w, dy);
        Assert.That(_bench.Read(dyt), Is.EqualTo(dy));
        double max = spec.Activation == Activation.Relu6 ? 6 : double.PositiveInfinity;
        double Activated(double sum) => spec.Activation == Activation.None ? sum : Math.Clamp(sum, 0, max);
        AssertClose([.. naive.Y.Select((sum, i) => Activated(sum + bias[i % bias.Length]))], y, spec.Filter.FanIn, true, "y");
        AssertClose([.. bias.Select((_, k) => dy.Where((_, i) => i % bias.Length == k).Sum(d => (double)d))], _bench.Read(db),
            dy.Length / bias.Length, false, "db");
        AssertClose(naive.Dw, _bench.Read(dw), dy.Length / bias.Length, false, "dw");
        AssertClose([.. naive.Dx.Zip(old, (sum, before) => sum + before)], _bench.Read(dxt),
            spec.Filter.FanIn * spec.Filter.Out / spec.Filter.In, true, "dx");
    }

    [Test]
    public void Every_tile_agrees_whole_and_split([Values] bool unaligned)
    {
        foreach (ConvolutionSpec spec in unaligned ? Unaligned : Aligned)
        {
            ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
            (float[] x, float[] w, float[] dy, _) = Operands(spec);
            ulong xp = At(_bench.Tensor(spec.Batch, spec.Input, x)), dyp = At(_bench.Tensor(spec.Batch, spec.Output, dy)),
                wp = _bench.Weights(_bench.Weights(w, spec.Filter));
            var naive = new NaiveConvolution(spec, spec.Batch, x, w, dy);
            foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                foreach (ConvolutionChoice choice in Choices(shape, pass, spec.Batch))
                {
                    using ConvolutionProduct product = choice.Create(_bench.Runtime, shape, pass, spec.Batch);
                    string name = $"{pass} by {choice}, {spec}";
                    int sumLength = (int)shape.ProductOf(pass, spec.Batch).Inner;
                    if (pass == ConvolutionPass.WeightGradient)
                    {
                        ParameterTensor dw = _bench.Vector(Nan(w.Length));
                        product.Run(new ConvolutionCall(dyp, xp, spec.Batch, _bench.Parameter(dw)));
                        AssertClose(naive.Dw, _bench.Read(dw), sumLength, false, name);
                        continue;
                    }
                    bool forward = pass == ConvolutionPass.Forward;
                    Chw resultShape = forward ? spec.Output : spec.Input;
                    DeviceTensor result = _bench.Tensor(spec.Batch, resultShape, Nan(spec.Batch * resultShape.Elements));
                    product.Run(new ConvolutionCall(forward ? xp : dyp, wp, spec.Batch, At(result)));
                    AssertClose(forward ? naive.Y : naive.Dx, _bench.Read(result),
                        forward ? sumLength : sumLength * spec.Stride * spec.Stride, true, name);
                }
        }
    }

    /// <summary>Null where the library says that it has no such convolution, as cuDNN may of odd channels and groups.</summary>
    private ConvolutionProduct? Create(LibraryChoice choice, in ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        try
        {
            return choice.Create(_bench.Runtime, shape, pass, samples);
        }
        catch (CudaLibraryException e) when (e.IsNotSupported)
        {
            return null;
        }
    }

    [Test]
    public void A_library_gives_the_same_products([Values] bool unaligned)
    {
        int libraries = 0;
        foreach (ConvolutionSpec spec in unaligned ? Unaligned : Aligned)
        {
            ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
            (float[] x, float[] w, float[] dy, float[] old) = Operands(spec);
            ulong xp = At(_bench.Tensor(spec.Batch, spec.Input, x)), dyp = At(_bench.Tensor(spec.Batch, spec.Output, dy)),
                wp = _bench.Weights(_bench.Weights(w, spec.Filter));
            // Prepared for more samples than it runs with.
            var naive = new NaiveConvolution(spec, spec.Batch, x, w, dy);
            foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                foreach (LibraryChoice choice in LibraryChoice.For(_bench.Runtime, pass, shape))
                {
                    using ConvolutionProduct? product = Create(choice, shape, pass, spec.Batch + 2);
                    if (product is null) continue;
                    libraries++;
                    string name = $"{choice} {pass}, {spec}";
                    int terms = (int)shape.ProductOf(pass, spec.Batch).Inner * spec.Stride * spec.Stride;
                    DeviceTensor y = _bench.Tensor(spec.Batch, spec.Output, Nan(dy.Length)), dx = _bench.Tensor(spec.Batch, spec.Input, old);
                    ParameterTensor dw = _bench.Vector(Nan(w.Length));
                    switch (pass)
                    {
                        case ConvolutionPass.Forward:
                            product.Run(new ConvolutionCall(xp, wp, spec.Batch, At(y)));
                            AssertClose(naive.Y, _bench.Read(y), terms, true, name);
                            break;
                        case ConvolutionPass.DataGradient:
                            product.Run(new ConvolutionCall(dyp, wp, spec.Batch, At(dx)) { Accumulate = true });
                            // A library rounds the product before it adds.
                            AssertClose([.. naive.Dx.Zip(old, (sum, before) => sum + before)], _bench.Read(dx), terms, true, name, naive.Dx);
                            break;
                        default:
                            product.Run(new ConvolutionCall(dyp, xp, spec.Batch, _bench.Parameter(dw)));
                            AssertClose(naive.Dw, _bench.Read(dw), terms, false, name);
                            break;
                    }
                }
        }
        if (libraries == 0) Assert.Ignore("neither cuBLAS nor cuDNN is here");
    }

    [Test]
    public void Every_tile_leaves_the_statistics_of_its_rows([Values] bool unaligned)
    {
        foreach (ConvolutionSpec spec in unaligned ? Unaligned : Aligned)
        {
            ConvolutionShape shape = ConvolutionShape.FromSpec(spec);
            (float[] x, float[] w, float[] y, _) = Operands(spec);
            int channels = spec.Filter.Out, rows = y.Length / channels;
            ulong xp = At(_bench.Tensor(spec.Batch, spec.Input, x)), wp = _bench.Weights(_bench.Weights(w, spec.Filter));
            // A bias that is large beside the deviation: sums of squares would cancel.
            ulong bias = _bench.Parameter(_bench.Vector(_bench.Numbers(5, channels).Select(b => 100 * b).ToArray()));
            foreach (ConvolutionTile tile in ConvolutionTile.For(precision, ConvolutionPass.Forward, shape, wgmma: _bench.Runtime.HasWgmma))
            {
                int tiles = ConvolutionShape.CeilDivide(rows, tile.Rows);
                DeviceTensor result = _bench.Tensor(spec.Batch, spec.Output, Nan(y.Length));
                ParameterTensor statistics = _bench.Vector(Nan(tiles * 2 * channels));
                new TileProduct(_bench.Runtime, shape, ConvolutionPass.Forward, spec.Batch, new(tile, 1))
                    .Run(new ConvolutionCall(xp, wp, spec.Batch, At(result)) { Bias = bias, Statistics = _bench.Parameter(statistics) });
                float[] stored = _bench.Read(result), actual = _bench.Read(statistics);
                for (int t = 0; t < tiles; t++)
                {
                    for (int c = 0; c < channels; c++)
                    {
                        double[] column = [.. Enumerable.Range(t * tile.Rows, Math.Min(tile.Rows, rows - t * tile.Rows)).Select(row => (double)stored[row * channels + c])];
                        double sum = column.Sum(), squares = column.Sum(value => Math.Pow(value - sum / column.Length, 2));
                        string name = $"{tile.KernelName(ConvolutionPass.Forward)}, tile {t}, channel {c}, {spec}";
                        Assert.That(actual[t * 2 * channels + c], Is.EqualTo(sum).Within(1e-5 * column.Sum(Math.Abs)), name);
                        Assert.That(actual[(t * 2 + 1) * channels + c], Is.EqualTo(squares).Within(1e-4 * squares + 1e-8), name);
                    }
                }
            }
        }
    }

    [Test]
    public void Blocks_without_a_live_weight_are_passed_over([Values(1, 2)] int stride, [Values] bool linear)
    {
        ConvolutionSpec spec = linear ? Spec(3, 40, 2, 2, 192, 2, 1, 0) : Spec(2, 64, 5, 5, 192, 3, stride, 1);
        spec = spec with { Activation = Activation.None };
        (float[] x, float[] w, float[] dy, _) = Operands(spec);
        int fanIn = spec.Filter.FanIn, taps = spec.Filter.Height * spec.Filter.Width;
        // Whole blocks of 64 outputs by 64 filter elements are pruned, as large as the tiles of so small a layer; their weights, which should be
        // 0, are such that reading them shows.
        var magnitudes = new float[w.Length];
        float[] seen = [.. w];
        for (int i = 0; i < w.Length; i++)
        {
            int output = i / fanIn, element = i % fanIn;
            bool live = (output / 64 + element / 64) % 2 == 0;
            magnitudes[output * fanIn + element % spec.Filter.In * taps + element / spec.Filter.In] = live ? 2 : 1;
            if (live) continue;
            seen[i] = 0;
            w[i] = float.NaN;
        }
        using CudaParameters parameters = _bench.Parameters(spec.Filter);
        parameters.Upload(0, ParameterSlot.Value, magnitudes);
        parameters.Prune([0], magnitudes.Count(m => m == 2), new long[1]);
        ConvolutionOperation operation = _bench.Runtime.Create(spec);
        DeviceTensor xt = _bench.Tensor(spec.Batch, spec.Input, x), yt = _bench.Tensor(spec.Batch, spec.Output, Nan(dy.Length));
        DeviceTensor dyt = _bench.Tensor(spec.Batch, spec.Output, dy), dxt = _bench.Tensor(spec.Batch, spec.Input, Nan(x.Length));
        ParameterTensor wt = _bench.Weights(w, spec.Filter), dw = _bench.Vector(Nan(w.Length));
        operation.SetMask(parameters, 0);
        operation.Forward(xt, wt, null, yt);
        operation.BackwardWeights(xt, dyt, dw);
        operation.BackwardData(dyt, wt, false, dxt);

        var naive = new NaiveConvolution(spec, spec.Batch, x, seen, dy);
        AssertClose(naive.Y, _bench.Read(yt), fanIn, true, "y");
        AssertClose(naive.Dx, _bench.Read(dxt), fanIn * spec.Filter.Out / spec.Filter.In, true, "dx");
        float[] gradient = _bench.Read(dw);
        AssertClose([.. naive.Dw.Where((_, i) => seen[i] != 0)], [.. gradient.Where((_, i) => seen[i] != 0)], dy.Length, false, "dw");

        parameters.SetMask(0, null);
        operation.SetMask(parameters, 0);
        operation.Forward(xt, _bench.Weights(seen, spec.Filter), null, yt);
        AssertClose(naive.Y, _bench.Read(yt), fanIn, true, "y without a mask");
        operation.Dispose();
    }

    [Test]
    public void Every_tile_has_its_kernels()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (ConvolutionTile tile in ConvolutionTile.All.Where(t => !t.Wgmma || _bench.Runtime.HasWgmma))
                foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                    Assert.That(_bench.Runtime.Kernels.Get(tile.KernelName(pass)).MaxThreads, Is.EqualTo(tile.Threads), tile.KernelName(pass));
        }
    }

    [Test]
    public void A_tiles_static_shared_memory_is_what_its_kernels_have()
    {
        CudaTest.RequirePtx();
        using (Assert.EnterMultipleScope())
        {
            foreach (ConvolutionTile tile in ConvolutionTile.All.Where(t => !t.Wgmma || _bench.Runtime.HasWgmma))
                foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
                    Assert.That(_bench.Runtime.Kernels.Get(tile.KernelName(pass)).SharedBytes, Is.EqualTo(tile.StaticSharedBytes(pass)), tile.KernelName(pass));
        }
    }

    /// <summary>Every tile, whole and in three splits, as the layer is and with padded channels.</summary>
    private IEnumerable<ConvolutionChoice> Choices(ConvolutionShape shape, ConvolutionPass pass, int samples)
    {
        TileChoice[] Tiles(ConvolutionShape of) =>
            [.. ConvolutionTile.For(precision, pass, of, wgmma: _bench.Runtime.HasWgmma).SelectMany(tile => (TileChoice[])[new(tile, 1), new(tile, 3)])];
        ConvolutionShape? padded = PaddedChoice.Padded(precision, pass, shape, samples);
        return [.. Tiles(shape), .. padded is { } wider ? Tiles(wider).Select(inner => new PaddedChoice(inner)) : []];
    }

    private ulong At(DeviceTensor tensor) => _bench.Activations(tensor);

    private (float[] X, float[] W, float[] Dy, float[] Old) Operands(in ConvolutionSpec spec) =>
        (_bench.Numbers(1, spec.Batch * spec.Input.Elements), _bench.Numbers(2, (long)spec.Filter.Out * spec.Filter.FanIn),
            _bench.Numbers(3, spec.Batch * spec.Output.Elements), _bench.Numbers(4, spec.Batch * spec.Input.Elements));

    /// <summary>
    /// Sums of n products below 1 err by about sqrt(n) roundings of 6e-8; a tf32 factor is off by up to 2^-11 of itself; a result stored as
    /// bf16 by 2^-9.
    /// </summary>
    /// <param name="rounded">Values that were rounded on the way, or null.</param>
    private void AssertClose(double[] expected, float[] actual, int terms, bool stored, string name, double[]? rounded = null)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), name);
        double absolute = (precision == CudaPrecision.Tf32 ? 1.5e-3 : 1e-6) * Math.Sqrt(terms);
        double relative = stored && precision == CudaPrecision.Bf16 ? 1.0 / 256 : 1e-5;
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(expected[i] - actual[i]) <= absolute + relative * (Math.Abs(expected[i]) + Math.Abs(rounded?[i] ?? 0))))
                Assert.Fail($"{name}[{i}] is {actual[i]:g9}, not {expected[i]:g9} within {absolute:g3} + {relative:g3} relative");
        }
    }

    private static float[] Nan(int count)
    {
        var values = new float[count];
        System.Array.Fill(values, float.NaN);
        return values;
    }

    private static ConvolutionSpec Spec(int batch, int channels, int height, int width, int outputs, int kernel, int stride, int padding,
        int groups = 1) =>
        new(batch, new Chw(channels, height, width), new FilterShape(outputs, channels / groups, kernel, kernel), stride, padding, groups, true,
            (Activation)(outputs % 3), true, true);
}

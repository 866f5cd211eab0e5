using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu.Sparse;

/// <summary>Direct sparse convolution against the dense path on the same masked weights.</summary>
[NonParallelizable]
internal class SparseConvolutionTests
{
    private static readonly double[] s_densities = [0, 0.001, 0.05, 0.3, 1];

    [TearDown]
    public void LetTheModelChoose() => SparsePath.Forced = null;

    /// <summary>Lanes that are samples (narrow, or dense), lanes that are positions (wide and sparse, or few samples), whole and partial groups.</summary>
    private static IEnumerable<TestCaseData> Shapes()
    {
        (string Name, Chw Input, int Out, int Kernel, int Stride, int Padding, int Groups, int Batch)[] shapes =
        [
            ("3x3 on 4 columns", new(5, 4, 4), 9, 3, 1, 1, 1, 21),
            ("3x3 on 8 columns", new(16, 8, 8), 16, 3, 1, 1, 1, 33),
            ("3x3 on 7 columns", new(6, 7, 7), 10, 3, 1, 1, 1, 18),
            ("3x3 on 3 columns, many rows", new(4, 12, 3), 5, 3, 1, 1, 1, 17),
            ("3x3 on 14 columns", new(8, 14, 14), 8, 3, 1, 1, 1, 16),
            ("3x3 on 32 columns", new(16, 32, 32), 8, 3, 1, 1, 1, 17),
            ("3x3 on 19 columns, one sample", new(7, 11, 19), 6, 3, 1, 1, 1, 1),
            ("1x1", new(20, 9, 9), 11, 1, 1, 0, 1, 5),
            ("5x5", new(4, 12, 12), 6, 5, 1, 2, 1, 19),
            ("7x7, stride 2", new(3, 23, 23), 8, 7, 2, 3, 1, 20),
            ("3x3, stride 2", new(8, 16, 16), 12, 3, 2, 1, 1, 18),
            ("3x3, stride 2, odd, one sample", new(5, 15, 13), 7, 3, 2, 1, 1, 1),
            ("1x1, stride 2", new(12, 10, 10), 9, 1, 2, 0, 1, 17),
            ("1x1 on 4 columns, few samples", new(16, 4, 4), 24, 1, 1, 0, 1, 3),
            ("3x3 on 5 columns, few samples", new(17, 5, 5), 19, 3, 1, 1, 1, 2),
            ("3x3, stride 2, on 7 columns, few samples", new(24, 7, 7), 17, 3, 2, 1, 1, 3),
            ("1x1, stride 2, on 6 columns, one sample", new(16, 6, 6), 16, 1, 2, 0, 1, 1),
            ("no padding", new(4, 9, 9), 6, 3, 1, 0, 1, 3),
            ("more padding than the kernel reaches", new(3, 6, 6), 4, 3, 1, 3, 1, 16),
            ("groups", new(12, 8, 8), 8, 3, 1, 1, 4, 17),
            ("many channels, few rows a block", new(300, 6, 6), 300, 3, 1, 1, 1, 16),
        ];
        foreach (var s in shapes)
            yield return new TestCaseData(new ConvolutionSpec(s.Batch, s.Input, new FilterShape(s.Out, s.Input.Channels / s.Groups, s.Kernel, s.Kernel), s.Stride, s.Padding, s.Groups,
                true, Activation.Relu, true, true))
            { TestName = $"Sparse_and_dense_agree({s.Name})" };
    }

    [TestCaseSource(nameof(Shapes))]
    public void Sparse_and_dense_agree(ConvolutionSpec spec)
    {
        Assert.That(SparseUnrolled.Suits(spec), Is.False);
        foreach (double density in s_densities)
            foreach (int threads in new[] { 1, 2 })
                SparseLayer.AssertAgree(spec, density, threads, spec.Batch);
    }

    [Test]
    public void A_partial_batch_uses_only_its_samples([Values(1, 15, 16, 17)] int batch)
    {
        var spec = new ConvolutionSpec(40, new Chw(6, 8, 8), new FilterShape(5, 6, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        SparseLayer.AssertAgree(spec, 0.2, 2, batch);
    }

    [Test]
    public void Another_mask_replaces_the_structure()
    {
        using var layer = new SparseLayer(new ConvolutionSpec(17, new Chw(6, 18, 18), new FilterShape(7, 6, 3, 3), 1, 1, 1, true, Activation.Relu, true, true), 2);
        layer.Prune(0.5, seed: 1);
        layer.Run(sparse: true, 17);
        layer.Prune(0.05, seed: 1);
        SparseLayer.AssertClose(layer.Run(sparse: false, 17), layer.Run(sparse: true, 17), "second mask");
    }

    [Test]
    public void Equal_runs_give_equal_bits()
    {
        var spec = new ConvolutionSpec(20, new Chw(9, 16, 16), new FilterShape(9, 9, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        using var layer = new SparseLayer(spec, 2);
        layer.Prune(0.2, seed: 3);
        Dictionary<string, float[]> first = layer.Run(sparse: true, 20), second = layer.Run(sparse: true, 20);
        Assert.That(second, Is.EqualTo(first));
    }

    [Test]
    public void The_model_goes_sparse_when_few_weights_live_and_stays_dense_when_most_do()
    {
        var spec = new ConvolutionSpec(60, new Chw(64, 16, 16), new FilterShape(64, 64, 3, 3), 1, 1, 1, true, Activation.Relu, true, true);
        using var workers = new Workers(2);
        using var scratch = new Scratch(2);
        using var layer = new SparseConvolution(spec, workers, scratch);
        Assert.That(layer.TakesForward(60), Is.False);
        var mask = new Mask(64 * 64 * 9, live: false);
        for (int i = 0; i < mask.Length; i += 20) mask[i] = true;
        layer.SetMask(mask);
        Assert.That(layer.TakesForward(60) && layer.TakesBackwardWeights(60) && layer.TakesBackwardData(60), Is.True);
        layer.SetMask(new Mask(64 * 64 * 9));
        Assert.That(layer.TakesForward(60) || layer.TakesBackwardWeights(60) || layer.TakesBackwardData(60), Is.False);
    }

    /// <summary>At one position a vector holds one product, and eight of nine taps meet nothing but padding.</summary>
    [TestCase(64, 32, true)]
    [TestCase(512, 1, false)]
    public void The_model_knows_what_a_single_image_has_of_vectors(int channels, int size, bool sparse)
    {
        var spec = new ConvolutionSpec(1, new Chw(channels, size, size), new FilterShape(channels, channels, 3, 3), 1, 1, 1, false, Activation.Relu, false, false);
        using var workers = new Workers(2);
        using var scratch = new Scratch(2);
        using var layer = new SparseConvolution(spec, workers, scratch);
        var mask = new Mask((long)channels * channels * 9, live: false);
        for (int i = 0; i < mask.Length; i += 20) mask[i] = true;
        layer.SetMask(mask);
        Assert.That(layer.TakesForward(1), Is.EqualTo(sparse));
    }

    [Test]
    public void Tiles_cover_a_block_of_rows([Range(1, 5)] int rows, [Range(1, 20)] int width)
    {
        (int eight, int four, int one) = TapKernels.Tiles(rows, width);
        int vectors = 8 * eight + 4 * four + one;
        Assert.That(vectors, Is.InRange(rows * width, 2 * rows * width), "narrow blocks of 5 vectors take a tile of 8");
        Assert.That(one, width < 4 ? Is.EqualTo(width == 2 ? rows % 2 * 2 : rows * width) : Is.Zero);
    }
}

using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu.Sparse;

/// <summary>Layers as one sparse matrix against the dense path on the same masked weights.</summary>
public class SparseUnrolledTests
{
    [TearDown]
    public void LetTheModelChoose() => SparsePath.Forced = null;

    [Test]
    public void A_linear_layer_agrees_with_dense([Values(0, 0.001, 0.05, 0.5, 1)] double density, [Values(1, 2)] int threads, [Values(1, 7, 60, 130)] int batch)
    {
        foreach ((Chw input, int outputs) in new[] { (new Chw(17, 1, 1), 5), (new Chw(300, 1, 1), 100), (new Chw(4, 3, 5), 33), (new Chw(600, 1, 1), 7) })
            SparseLayer.AssertAgree(SparseLayer.Linear(input, outputs, batch), density, threads, batch);
    }

    [Test]
    public void A_convolution_with_few_positions_agrees_with_dense([Values(0, 0.05, 0.5, 1)] double density, [Values(1, 2)] int threads)
    {
        foreach ((Chw input, int stride) in new[] { (new Chw(5, 2, 2), 1), (new Chw(6, 4, 4), 2), (new Chw(19, 1, 1), 1), (new Chw(3, 1, 3), 1) })
        {
            var spec = new ConvolutionSpec(70, input, new FilterShape(21, input.Channels, 3, 3), stride, 1, 1, true, Activation.Relu, true, true);
            Assert.That(SparseUnrolled.Suits(spec), Is.True);
            SparseLayer.AssertAgree(spec, density, threads, 67);
        }
    }

    [Test]
    public void Outputs_of_any_number_of_live_weights_agree_with_dense([Values(1, 2)] int threads)
    {
        const int outputs = 22, inputs = 21, batch = 11;
        using var layer = new SparseLayer(SparseLayer.Linear(new Chw(inputs, 1, 1), outputs, batch), threads);
        var mask = new Mask(outputs * inputs, live: false);
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < o; i++) mask[o * inputs + (5 * i + o) % inputs] = true;
        layer.Prune(mask);
        SparseLayer.AssertClose(layer.Run(sparse: false, batch), layer.Run(sparse: true, batch), "output o with o live weights");
    }

    [Test]
    public void A_partial_batch_uses_only_its_samples() => SparseLayer.AssertAgree(SparseLayer.Linear(new Chw(40, 1, 1), 20, 60), 0.1, 2, 13);

    [Test]
    public void Another_mask_replaces_the_structure()
    {
        using var layer = new SparseLayer(SparseLayer.Linear(new Chw(30, 1, 1), 10, 8), 2);
        layer.Prune(0.5, seed: 1);
        layer.Run(sparse: true, 8);
        layer.Prune(0.2, seed: 1);
        SparseLayer.AssertClose(layer.Run(sparse: false, 8), layer.Run(sparse: true, 8), "second mask");
    }

    /// <summary>Values are fetched once for as many passes as the weights stay the same, and again after any change.</summary>
    [Test]
    public void Changed_weights_are_seen([Values] WeightChange change, [Values(1, 18)] int size)
    {
        using var layer = new SparseLayer(new ConvolutionSpec(9, new Chw(6, size, size), new FilterShape(7, 6, 3, 3), 1, 1, 1, true, Activation.Relu, true, true), 2);
        layer.Prune(0.5, seed: 1);
        layer.Run(sparse: true, 9);
        layer.Run(sparse: true, 9);
        layer.Change(change);
        SparseLayer.AssertClose(layer.Run(sparse: false, 9), layer.Run(sparse: true, 9), $"{change}");
    }

    [Test]
    public void The_model_goes_sparse_for_a_published_mask_and_stays_dense_without_one()
    {
        using var workers = new Workers(2);
        using var scratch = new Scratch(2);
        using var linear = new SparseUnrolled(SparseLayer.Linear(new Chw(784, 1, 1), 300, 60), workers, scratch);
        Assert.That(linear.TakesForward(60), Is.False);
        var mask = new Mask(300 * 784, live: false);
        for (int i = 0; i < mask.Length; i += 33) mask[i] = true;
        linear.SetMask(mask);
        Assert.That(linear.TakesForward(60) && linear.TakesBackwardWeights(60) && linear.TakesBackwardData(60), Is.True);
        linear.SetMask(new Mask(300 * 784));
        Assert.That(linear.TakesForward(60) || linear.TakesBackwardWeights(60) || linear.TakesBackwardData(60), Is.False);
    }

    [Test]
    public void Shares_cover_every_line_once([Values(1, 2, 5)] int workers, [Values(2, 10)] int blockShift)
    {
        var mask = new Mask(12 * 9, live: false);
        for (int i = 0; i < 40; i++) mask[i] = true; // the first lines hold everything
        ConvolutionSpec spec = SparseLayer.Linear(new Chw(9, 1, 1), 12, 8);
        using TapStorage outputTaps = new(), inputTaps = new();
        using var team = new Workers(workers);
        var pairs = new TapPairs(spec);
        TapList byOutput = TapList.Unrolled(mask, spec, pairs, 64, transposed: false, blockShift, outputTaps, team);
        TapList byInput = TapList.Unrolled(mask, spec, pairs, 64, transposed: true, blockShift, inputTaps, team);
        foreach ((TapList list, int lines) in new[] { (byOutput, 12), (byInput, 9) })
        {
            AssertCovers(lines, worker => list.PartitionLines(worker, workers));
            AssertCovers(lines * list.ChannelBlocks, worker => list.PartitionLists(worker, workers));
            Assert.That(list.Live, Is.EqualTo(40));
            Assert.That(list.ChannelBlocks, Is.EqualTo(blockShift == 10 ? 1 : 3), "blocks of up to 4 partners");
        }
        Assert.That(byInput.Indices.ToArray().Order(), Is.EqualTo(byOutput.Indices.ToArray().Order()));

        void AssertCovers(int all, Func<int, (int First, int Last)> share)
        {
            int next = 0;
            for (int worker = 0; worker < workers; worker++)
            {
                (int first, int last) = share(worker);
                Assert.That(first, Is.EqualTo(next));
                next = last;
            }
            Assert.That(next, Is.EqualTo(all));
        }
    }
}

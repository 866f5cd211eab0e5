using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Formats;
using Asni.Tests.Methods;
using Asni.Training;

namespace Asni.Tests.Training;

/// <summary>Batch-norm's statistics measured anew.</summary>
public class RecalibrationTests
{
    /// <summary>Of a linear map of pixels, whose mean and variance are those of the pixels' sums, in two batches of 16 and one of 8.</summary>
    [TestCaseSource(typeof(DeviceCase), nameof(DeviceCase.All))]
    public void Statistics_are_the_means_of_those_of_the_batches_and_nothing_else_changes(DeviceCase on)
    {
        Network network = new NetworkBuilder("n", new Chw(3, 4, 4)).Convolution("a", 2, 1).BatchNorm("an", momentum: 0.3f).Relu("r").GlobalAveragePool("mean").Linear("b", 3).Build();
        TrainedNetwork model = RandomNetworks.Weights(network, 0.4);
        Dataset data = BlobDataset.Split(40, network.Input, 3).Train;
        using Device device = on.Create();
        using var loaded = new Model(network, device);
        loaded.Load(model);
        Recalibration.Run(loaded, data, new ImageBatches(9, 16), 11, CancellationToken.None);
        TrainedNetwork after = loaded.TakeSnapshot();

        var norm = (BatchNormNode)network.Nodes.Single(n => n is BatchNormNode);
        (double[] means, double[] variances, long seen) = (new double[2], new double[2], 0);
        foreach (Batch batch in new BatchLoader(data, 16, Augmentation.None, shuffle: true, 11).Epoch(0))
        {
            for (int channel = 0; channel < 2; channel++)
            {
                double[] outputs = [.. Enumerable.Range(0, 16 * batch.Count).Select(i => Enumerable.Range(0, 3).Sum(c =>
                    model.Values[0][3 * channel + c] * (batch.Pixels[(i / 16 * 3 + c) * 16 + i % 16] / 255.0 - data.Normalization.Mean[c]) / data.Normalization.Std[c]))];
                double mean = outputs.Average();
                means[channel] += mean * batch.Count;
                variances[channel] += outputs.Sum(v => (v - mean) * (v - mean)) / (outputs.Length - 1) * batch.Count;
            }
            seen += batch.Count;
        }
        Assert.That(seen, Is.EqualTo(40));
        double within = device.HasReducedPrecision ? 0.02 : 1e-5;
        for (int channel = 0; channel < 2; channel++)
        {
            Assert.That(after.Values[norm.RunningMean.Index][channel], Is.EqualTo(means[channel] / 40).Within(within));
            Assert.That(after.Values[norm.RunningVariance.Index][channel], Is.EqualTo(variances[channel] / 40).Within(within * (1 + variances[channel] / 40)));
        }
        Assert.That(() => Recalibration.Run(loaded, data, new ImageBatches(9, 16), 12, new CancellationToken(canceled: true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(loaded.TakeSnapshot().Values[norm.RunningMean.Index], Is.EqualTo(after.Values[norm.RunningMean.Index]), "as before where it is left");
        foreach (Parameter p in network.Parameters.Where(p => p.IsTrained)) Assert.That(after.Values[p.Index], Is.EqualTo(model.Values[p.Index]), p.Name);
    }

    [Test]
    public void A_phase_delivers_what_it_evaluates()
    {
        Network network = new NetworkBuilder("n", new Chw(3, 4, 4)).Convolution("a", 4, 3).BatchNorm("an").Relu("r").GlobalAveragePool("mean").Linear("b", 3).Build();
        DatasetSplit data = BlobDataset.Split(60, network.Input, 3);
        var recipe = new Recipe { Network = "n", Data = "blobs", Epochs = 2, BatchSize = 10, Method = new DenseTraining(), Recalibrate = new ImageBatches(3, 20) };
        using var device = new Asni.Cpu.CpuDevice(1);
        PhaseResult with = MethodRunner.Run(recipe, network, data, device).Phases.Single(), without = MethodRunner.Run(recipe with { Recalibrate = null }, network, data, device).Phases.Single();
        foreach (Parameter p in network.Parameters) Assert.That(with.Model.Values[p.Index].SequenceEqual(without.Model.Values[p.Index]), Is.EqualTo(p.IsTrained), p.Name);
        using var model = new Model(network, device);
        model.Load(with.Model);
        using var evaluator = new Evaluator(model, data.Test);
        Assert.That(with.TestLoss, Is.EqualTo(evaluator.Evaluate().Loss));
        Network plain = new NetworkBuilder("plain", new Chw(3, 4, 4)).Linear("b", 3).Build();
        Assert.That(() => MethodRunner.Run(recipe, plain, data, device), Throws.TypeOf<UsageException>().With.Message.EqualTo("recalibrate is for the statistics of batch-norm, and plain has none."));
    }
}

using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Devices;

/// <summary>Random pruning, the smallest use of the score slot.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class RandomScoreTests(DeviceCase device) : DeviceTests
{
    private static readonly Network s_network = TinyNetworks.Linear(60, 40, 10);

    [Test]
    public void Any_device_keeps_the_same_and_a_later_pruning_less_of_it([Values] bool pooled)
    {
        Mask[][] expected = Masks(DeviceCase.OpenReference(), 5, pooled), actual = Masks(device.Open(), 5, pooled), other = Masks(device.Open(), 6, pooled);
        Assert.That(actual.Select(Words), Is.EqualTo(expected.Select(Words)));
        Assert.That(actual.Select(Words), Is.Not.EqualTo(other.Select(Words)));
        Assert.That(actual[0].Sum(m => m.Live), Is.EqualTo(Quota.At(0.5, s_network.WeightCount)));
        Assert.That(actual[1].Sum(m => m.Live), Is.EqualTo(Quota.At(0.9, s_network.WeightCount)));
        Assert.That(actual[1].Zip(actual[0]).All(m => m.First.IsSubsetOf(m.Second)));
        if (!pooled) Assert.That(actual[1].Select(m => m.Live), Is.EqualTo(new[] { 240, 40 }));
    }

    [Test]
    public void Magnitudes_have_no_part_in_it()
    {
        using Workbench bench = device.Open();
        Model model = Filled(bench);
        float[] before = Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
        new Pruner(model, new RandomScore(5), new Pooled()).PruneTo(0.5, _ => { });
        float[] kept = [.. Workbench.Read(model.Parameters, 0, ParameterSlot.Value).Where(v => v != 0)];
        Assert.That(kept.Average(MathF.Abs), Is.EqualTo(before.Average(MathF.Abs)).Within(0.05), "the mean of all; by magnitude it would be half as much again");
    }

    private static ulong[][] Words(Mask[] masks) => [.. masks.Select(m => m.Words.ToArray())];

    /// <summary>At 50 and then at 90 % sparsity.</summary>
    private static Mask[][] Masks(Workbench bench, ulong seed, bool pooled)
    {
        using Workbench _ = bench;
        Model model = Filled(bench);
        var pruner = new Pruner(model, new RandomScore(seed), pooled ? new Pooled() : new Uniform());
        return [.. new[] { 0.5, 0.9 }.Select(sparsity =>
        {
            pruner.PruneTo(sparsity, _ => { });
            return s_network.Weights.Select(p => Workbench.MaskOf(model.Parameters, p.Index)).ToArray();
        })];
    }

    private static Model Filled(Workbench bench)
    {
        var model = bench.Own(new Model(s_network, bench.Device));
        foreach (Parameter p in s_network.Weights) model.Parameters.Upload(p.Index, ParameterSlot.Value, Values.Random((ulong)p.Index, p.Elements));
        return model;
    }
}

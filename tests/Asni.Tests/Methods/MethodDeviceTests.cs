using Asni.Data;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>Every method on every device.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
internal class MethodDeviceTests(DeviceCase device) : DeviceTests
{
    private static readonly Lazy<TrainedNetwork> s_dense = new(() => MethodTests.Run(new DenseTraining()).Result.Phases[0].Model);

    private static IEnumerable<TestCaseData> Methods => Method.All.Select(m => new TestCaseData(Small(m)).SetArgDisplayNames(m.Name));

    [TestCaseSource(nameof(Methods))]
    public void The_same_run_twice_has_the_same_bits_and_what_is_pruned_is_0(Method method)
    {
        Recipe recipe = Short(method);
        (RunResult first, RunResult second) = (Run(), Run());
        Assert.That(second.Phases.Select(p => p.Model.ComputeSha256()), Is.EqualTo(first.Phases.Select(p => p.Model.ComputeSha256())));
        Assert.That(second.Phases.Select(p => p.TestLoss), Is.EqualTo(first.Phases.Select(p => p.TestLoss)));
        foreach (PhaseResult phase in first.Phases) AssertPrunedAre0(phase.Model, phase.Phase);
        if (method.FinalSparsity(recipe, Net) is { } sparsity) Assert.That(first.Phases[^1].Kept, Is.EqualTo(Quota.At(sparsity, Net.WeightCount)));

        RunResult Run()
        {
            using Workbench bench = device.Open();
            return MethodRunner.Run(recipe, NetOf(method), MethodTests.Data, bench.Device, new RecordingObserver(), start: Start(method));
        }
    }

    /// <summary>A checkpoint after each step has weights, masks and optimizer state as they are between steps.</summary>
    [TestCaseSource(nameof(Methods))]
    public void Pruned_weights_are_0_after_every_step(Method method)
    {
        using Workbench bench = device.Open();
        using var folder = new TemporaryFolder();
        var checkpoints = new CheckpointKeeper(folder["steps"], "run", keep: int.MaxValue, TimeSpan.Zero);
        MethodRunner.Run(Short(method), NetOf(method), MethodTests.Data, bench.Device, start: Start(method), checkpoints: checkpoints);
        string[] files = Directory.Exists(folder["steps"]) ? Directory.GetFiles(folder["steps"]) : [];
        Assert.That(files, Has.Length.GreaterThanOrEqualTo(method is UnitPruning ? 0 : 24));
        foreach (string file in files)
        {
            var step = Checkpoint.Read(file, method.ChangesNetwork ? null : NetOf(method));
            AssertPrunedAre0(step.Model, file);
            foreach (Parameter p in step.Model.Network.Weights)
                foreach (float[]? state in (float[]?[])[step.State0[p.Index], step.State1[p.Index]])
                    if (state is not null && step.Model.Masks[p.Index] is { } mask) AssertPrunedAre0(state, mask, $"state of {p.Name}, {file}");
        }
    }

    private static IEnumerable<TestCaseData> OfAnyNetwork => Methods.Where(c => NetOf((Method)c.Arguments[0]!) == Net);

    [TestCaseSource(nameof(OfAnyNetwork))]
    public void It_trains_lenet300_for_2_epochs_of_512_images(Method method)
    {
        Network network = NetworkZoo.Create("lenet300");
        using Workbench bench = device.Open();
        DatasetSplit data = BlobDataset.Split(512, network.Input, network.Classes);
        TrainedNetwork? start = method.Row.NeedsStart ? MethodRunner.CreateInitialWeights(network, 1) : null;
        Recipe recipe = Short(method) with { BatchSize = 128 };
        RunResult result = MethodRunner.Run(recipe, network, data, bench.Device, start: start);
        Assert.That(result.Complete);
        if (method.FinalSparsity(recipe, network) is { } sparsity) Assert.That(result.Phases[^1].Kept, Is.EqualTo(Quota.At(sparsity, network.WeightCount)));
        foreach (PhaseResult phase in result.Phases) AssertPrunedAre0(phase.Model, phase.Phase);
    }

    /// <summary>The network has no batch-norm: as many weights as in one lane.</summary>
    [TestCaseSource(nameof(Methods))]
    public void It_trains_in_lanes(Method method)
    {
        Recipe recipe = Short(method) with { Lanes = 2 };
        RunResult result = Run(recipe);
        if (method.FinalSparsity(recipe, Net) is { } sparsity) Assert.That(result.Phases[^1].Kept, Is.EqualTo(Quota.At(sparsity, Net.WeightCount)));
        foreach (PhaseResult phase in result.Phases) AssertPrunedAre0(phase.Model, phase.Phase);
        Assert.That(result.Phases[^1].Kept, Is.EqualTo(Run(recipe with { Lanes = 1 }).Phases[^1].Kept));

        RunResult Run(Recipe r)
        {
            using Workbench bench = device.Open();
            return MethodRunner.Run(r, NetOf(method), MethodTests.Data, bench.Device, start: Start(method));
        }
    }

    private static Recipe Short(Method method) => With(method) with { Epochs = 2 };

    private static TrainedNetwork? Start(Method method) => method.Row.NeedsStart ? s_dense.Value : null;

    private static void AssertPrunedAre0(TrainedNetwork model, string where)
    {
        foreach (Parameter p in model.Network.Weights)
            if (model.Masks[p.Index] is { } mask) AssertPrunedAre0(model.Values[p.Index], mask, $"{p.Name}, {where}");
    }

    private static void AssertPrunedAre0(float[] numbers, Mask mask, string where) =>
        Assert.That(numbers.Where((_, i) => !mask[i]).Select(BitConverter.SingleToUInt32Bits), Is.All.Zero, where);
}

using Asni.Cpu;
using Asni.Data;
using Asni.Distributed;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Tests.Reference;
using Asni.Training;

namespace Asni.Tests.Distributed;

/// <summary>Training on several ranks comes to the bits of one that computes all lanes.</summary>
public class RankTests
{
    private static readonly Network s_images = SmallNetworks.Create("bottleneck");

    private sealed record Case(string Name, Network Network, DatasetSplit Data, Recipe Recipe)
    {
        public override string ToString() => Name;
    }

    private static IEnumerable<Case> Cases()
    {
        Network linear = TinyNetworks.Linear(36, 40, 20, 4);
        // Steps of 48: the last has 38 of 230 samples, the last but 10 of 100 has 4.
        DatasetSplit vectors = BlobDataset.Split(230, new Chw(36, 1, 1), 4), images = BlobDataset.Split(100, s_images.Input, s_images.Classes);
        Recipe recipe = new()
        {
            Network = "tiny",
            Data = "blobs",
            Epochs = 3,
            BatchSize = 48,
            Lanes = 4,
            Seed = 3,
            Optimizer = new OptimizerSettings { Kind = OptimizerKind.Momentum, WeightDecay = 5e-4 },
            LearningRate = new LearningRate { Initial = 1e-2 },
            Method = new AsniII { Schedule = new SparsitySchedule { Scale1 = 0.5 }, Sparsity = 0.8, Retraining = new Retraining { Epochs = 2 } },
        };
        yield return new("asni, momentum", linear, vectors, recipe);
        yield return new("asni, adam", linear, vectors, recipe with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam }, LearningRate = new LearningRate { Initial = 1e-3 } });
        yield return new("batch-norm, crops", s_images, images, recipe with { Augmentation = new Augmentation(2, true) });
        yield return new("batch-norm, gmp, adam", s_images, images, recipe with { Method = new Gmp { Cuts = new() { Sparsity = 0.7, EverySteps = 1 } }, Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam } });
        yield return new("batch-norm, set", s_images, images, recipe with { Method = new SparseEvolution() });
        yield return new("batch-norm, distilled", s_images, images, recipe with { Method = new OneShot(), DistillWeight = 0.5 });
        yield return new("8 lanes", s_images, images, recipe with { Lanes = 8 });
    }

    [Test]
    public void Any_number_of_ranks_comes_to_the_same_bits([ValueSource(nameof(Cases))] object tried)
    {
        var c = (Case)tried;
        string[] alone = Train(c, 1).Single();
        foreach (int ranks in (int[])[2, 4])
            foreach (string[] outcome in Train(c, ranks)) Assert.That(outcome, Is.EqualTo(alone), $"{ranks} ranks");
    }

    private static IEnumerable<TestCaseData> Methods => Method.All.Select(m => new TestCaseData(MethodTests.Small(m)).SetArgDisplayNames(m.Name));

    [TestCaseSource(nameof(Methods))]
    public void Every_method_comes_to_the_same_bits(Method method)
    {
        Recipe recipe = MethodTests.With(method) with { Epochs = 2, Lanes = 2 };
        TrainedNetwork? start = method.Row.NeedsStart ? MethodTests.Run(new DenseTraining()).Result.Phases[^1].Model : null;
        var c = new Case(method.Name, MethodTests.NetOf(method), MethodTests.Data, recipe);
        string[] alone = Train(c, 1, start).Single();
        foreach (string[] outcome in Train(c, 2, start)) Assert.That(outcome, Is.EqualTo(alone));
    }

    [Test]
    public void All_stop_after_the_step_in_which_one_was_asked_to()
    {
        Case c = Cases().First();
        (bool Complete, string Hash)[] ended = ThreadRanks.Run(4, ranks =>
        {
            using var stop = new CancellationTokenSource();
            var observer = new RecordingObserver
            {
                EpochCompleted = e =>
                {
                    if (ranks.Rank == 2 && e.Epoch == 1) stop.Cancel();
                },
            };
            using var device = new CpuDevice(1);
            RunResult result = MethodRunner.Run(c.Recipe, c.Network, c.Data, device, ranks, observer, cancellationToken: stop.Token);
            return (result.Complete, result.Phases.Single().Model.ComputeSha256());
        });
        Assert.That(ended.Select(e => e.Complete), Is.All.False);
        Assert.That(ended.Select(e => e.Hash).Distinct(), Has.Exactly(1).Items);
    }

    /// <summary>There is one batch to evaluate, and one step an epoch, so that the stop is heard of right before.</summary>
    [Test]
    public void Ranks_without_a_batch_to_evaluate_stop_with_the_others()
    {
        Case c = Cases().First(c => c.Name == "batch-norm, crops");
        bool[] complete = ThreadRanks.Run(4, ranks =>
        {
            using var stop = new CancellationTokenSource();
            var observer = new RecordingObserver { EpochCompleted = _ => stop.Cancel() };
            using var device = new CpuDevice(1);
            return MethodRunner.Run(c.Recipe with { BatchSize = 100 }, c.Network, c.Data, device, ranks, ranks.Rank == 0 ? observer : null, cancellationToken: stop.Token).Complete;
        });
        Assert.That(complete, Is.All.False);
    }

    [Test]
    public void All_diverge_in_the_same_step()
    {
        Case c = Cases().First();
        Recipe wild = c.Recipe with { LearningRate = new LearningRate { Initial = 1e30 } };
        (string? _, Exception? Failure)[] ended = ThreadRanks.Try(4, ranks => Outcome(c with { Recipe = wild }, ranks, null).Single());
        Assert.That(ended.Select(e => e.Failure), Is.All.TypeOf<DivergenceException>());
        Assert.That(ended.Select(e => e.Failure!.Message).Distinct(), Has.Exactly(1).Items);
    }

    [Test]
    public void Ranks_that_have_come_apart_are_told()
    {
        Case c = Cases().First();
        (string[]? _, Exception? Failure)[] ended = ThreadRanks.Try(2, ranks => Outcome(c, ranks, MethodRunner.CreateInitialWeights(c.Network, (ulong)ranks.Rank)));
        Assert.That(ended.Select(e => e.Failure!.Message), Is.All.EqualTo(
            "weights of rank 1 differ from rank 0's after epoch 1 of asni1: a fault of memory or a mixed cluster; resume from the checkpoint."));
    }

    [Test]
    public void Lanes_that_cannot_be_shared_are_refused() => Assert.That(() => Train(Cases().First() with { Recipe = Cases().First().Recipe with { Lanes = 6 } }, 4),
        Throws.TypeOf<UsageException>().With.Message.EqualTo("6 lanes go on 1, 3 or 6 ranks, not on 4."));

    private static string[][] Train(Case c, int ranks, TrainedNetwork? start = null) => ThreadRanks.Run(ranks, r => Outcome(c, r, start));

    /// <summary>Networks, and records without times.</summary>
    private static string[] Outcome(Case c, Communicator ranks, TrainedNetwork? start)
    {
        using var device = new CpuDevice(1);
        var observer = new RecordingObserver();
        RunResult result = MethodRunner.Run(c.Recipe, c.Network, c.Data, device, ranks, observer, start: start);
        return
        [
            .. result.Phases.Select(p => $"{p.Phase} {p.Model.ComputeSha256()} {p.TestLoss:R} {p.Top1:R}"),
            .. observer.Epochs.Select(e => $"{e.Phase} {e.Epoch} {e.TrainLoss:R} {e.TestLoss:R} {e.Kept}"),
        ];
    }
}

using System.Collections.Immutable;
using Asni.Cpu;
using Asni.Data;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Reference;
using Asni.Training;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class ImpTests
{
    // With batch-norm. 4 steps an epoch, 24 in all.
    private static readonly Network s_images = SmallNetworks.Create("bottleneck");
    private static readonly DatasetSplit s_data = BlobDataset.Split(60, s_images.Input, s_images.Classes);

    private static Recipe OfImages(Method method) => With(method) with { BatchSize = 16, Optimizer = new OptimizerSettings { Kind = OptimizerKind.Momentum } };

    /// <summary>The levels of 20 % a round of lenet300, whose last round is what 90 % need.</summary>
    [Test]
    public void Rounds_of_a_fifth_keep_what_they_should()
    {
        long[] levels = Imp.Levels(266_200, 0.9, 0.2);
        Assert.That(levels[..6], Is.EqualTo(new[] { 212_960, 170_368, 136_294, 109_035, 87_228, 69_782 }));
        Assert.That((levels.Length, levels[^1]), Is.EqualTo((11, 26_620)));
    }

    [TestCase(0.9, 0.2, 11)]
    [TestCase(0.2, 0.2, 1)]
    [TestCase(0.36, 0.2, 2)]
    [TestCase(0.488, 0.2, 3)]
    [TestCase(0.5, 0.5, 1)]
    [TestCase(0.75, 0.5, 2)]
    [TestCase(0.76, 0.5, 3)]
    [TestCase(0.5, 0.9, 1)]
    [TestCase(0, 0.2, 1)]
    public void There_are_as_many_rounds_as_the_sparsity_needs(double sparsity, double share, int expected)
    {
        Assert.That(Imp.CountRounds(sparsity, share), Is.EqualTo(expected));
        foreach (long total in (long[])[1, 7, 1000, 266_200])
        {
            long[] levels = Imp.Levels(total, sparsity, share);
            Assert.That(levels, Is.Ordered.Descending);
            Assert.That(levels[^1], Is.EqualTo(Quota.At(sparsity, total)), "the last round is exact");
        }
    }

    [TestCase(RewindKind.Weights)]
    [TestCase(RewindKind.Rate)]
    [TestCase(RewindKind.None)]
    public void Each_round_prunes_the_smallest_of_what_the_one_before_left(RewindKind rewind)
    {
        RunResult result = Run(new Imp { Sparsity = 0.6, Rewind = rewind }).Result;
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "imp1", "imp2", "imp3", "imp4", "imp5" }));
        Assert.That(result.Phases.Skip(1).Select(p => p.Kept), Is.EqualTo(Imp.Levels(Net.WeightCount, 0.6, 0.2)));
        foreach ((PhaseResult before, PhaseResult round) in result.Phases.Zip(result.Phases.Skip(1)))
        {
            float[] magnitudes = [.. Net.Weights.SelectMany(p => before.Model.Values[p.Index]).Select(Math.Abs)];
            float cut = magnitudes.OrderDescending().ElementAt((int)round.Kept - 1);
            Assert.That(Net.Weights.SelectMany(p => Enumerable.Range(0, (int)p.Elements).Select(i => round.Model.Masks[p.Index]![i])), Is.EqualTo(magnitudes.Select(m => m >= cut)));
            Assert.That(Pruned(round.Model).Concat(Pruned(round.Initial)), Is.All.Zero, "bits of what is pruned");
        }
        Assert.That(result.Phases[^1].Top1, Is.GreaterThan(0.6), "chance is 0.25");
    }

    /// <summary>At a constant rate a training of two epochs is the beginning of one of six.</summary>
    [TestCase(null, null)]
    [TestCase(2, null)]
    [TestCase(null, 8)]
    [TestCase(null, 7)]
    public void What_survives_goes_back_bit_for_bit(int? epoch, int? step)
    {
        Recipe recipe = OfImages(new Imp { Sparsity = 0.6, RewindEpoch = epoch, RewindStep = step });
        using var device = new CpuDevice(2);
        TrainedNetwork saved = step is 7 ? AtStep(recipe, 7, device)
            : epoch is null && step is null ? MethodRunner.CreateInitialWeights(s_images, recipe.Seed)
            : MethodRunner.Run(recipe with { Method = new DenseTraining(), Epochs = 2 }, s_images, s_data, device).Phases.Single().Model;
        RunResult result = MethodRunner.Run(recipe, s_images, s_data, device);
        Assert.That(result.Phases, Has.Length.EqualTo(6));
        foreach (PhaseResult round in result.Phases.Skip(1))
        {
            foreach (Parameter p in s_images.Parameters)
            {
                Mask? mask = round.Initial.Masks[p.Index];
                Assert.That(mask is not null, Is.EqualTo(p.IsWeight && round.Model.Live(p) < p.Elements));
                Assert.That(round.Initial.Values[p.Index].Select(BitConverter.SingleToUInt32Bits),
                    Is.EqualTo(saved.Values[p.Index].Select((v, i) => mask is null || mask[i] ? BitConverter.SingleToUInt32Bits(v) : 0u)), $"{round.Phase}, {p.Name}");
            }
        }
    }

    [Test]
    public void A_round_trains_what_the_schedule_has_from_there_on()
    {
        var cosine = new LearningRate { Kind = LearningRateKind.Cosine, Initial = 0.02 };
        double[] Rates(RewindKind rewind, int? step)
        {
            using var device = new CpuDevice(2);
            var observer = new RecordingObserver();
            Recipe recipe = With(new Imp { Sparsity = 0.2, Rewind = rewind, RewindStep = step, RewindEpoch = step is null ? 2 : null }) with { LearningRate = cosine };
            MethodRunner.Run(recipe, Net, MethodTests.Data, device, observer);
            EpochRecord[] round = [.. observer.Epochs.Where(e => e.Phase == "imp1")];
            Assert.That(round.Select(e => e.Epoch), Is.EqualTo(new[] { 2, 3, 4, 5 }));
            return [.. round.Select(e => e.Lr)];
        }
        double[] end = [.. Enumerable.Range(2, 4).Select(e => cosine.GetRate(e, 6))];
        Assert.That(Rates(RewindKind.Weights, null), Is.EqualTo(end));
        Assert.That(Rates(RewindKind.Weights, 30), Is.EqualTo(end), "from the middle of an epoch");
        Assert.That(Rates(RewindKind.Rate, null), Is.EqualTo(end));
        Assert.That(Rates(RewindKind.None, null), Is.All.EqualTo(end[^1]));
    }

    [TestCase(RewindKind.Rate)]
    [TestCase(RewindKind.None)]
    public void Values_stay_where_weights_do_not_go_back(RewindKind rewind)
    {
        RunResult result = Run(new Imp { Sparsity = 0.36, Rewind = rewind, RewindEpoch = 3 }).Result;
        foreach ((PhaseResult before, PhaseResult round) in result.Phases.Zip(result.Phases.Skip(1)))
            foreach (Parameter p in Net.Parameters)
                Assert.That(round.Initial.Values[p.Index], Is.EqualTo(before.Model.Values[p.Index].Select((v, i) => round.Initial.Masks[p.Index]?[i] == false ? 0 : v)));
        RunResult given = Run(new Imp { Sparsity = 0.36, Rewind = rewind, RewindEpoch = 3 }, result.Phases[0].Model).Result;
        Assert.That(given.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "imp1", "imp2" }));
        Assert.That(given.Phases[^1].Model.ComputeSha256(), Is.EqualTo(result.Phases[^1].Model.ComputeSha256()), "from the dense network's file it is the same");
    }

    /// <summary>The lottery-ticket control: the mask of one cut, trained from the initial weights.</summary>
    [Test]
    public void One_round_from_the_start_is_the_ticket_of_one_shot()
    {
        var method = new Imp { Sparsity = 0.9, RoundShare = 0.9 };
        RunResult oneShot = Run(new OneShot { Sparsity = 0.9 }).Result, imp = Run(method).Result;
        using var device = new CpuDevice(2);
        using var run = new MethodRun(With(method), Net, MethodTests.Data, device, new RecordingObserver());
        run.Model.Load(MethodRunner.CreateInitialWeights(Net, run.Recipe.Seed) with { Masks = oneShot.Phases[1].Initial.Masks });
        PhaseResult ticket = run.Train(new PhasePlan("ticket", run.Recipe.Epochs, run.Recipe.LearningRate), stream: DenseTraining.Stream);
        Assert.That(imp.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "imp1" }));
        Assert.That(imp.Phases[0].Model.ComputeSha256(), Is.EqualTo(oneShot.Phases[0].Model.ComputeSha256()));
        Assert.That(imp.Phases[1].Initial.ComputeSha256(), Is.EqualTo(ticket.Initial.ComputeSha256()));
        Assert.That(imp.Phases[1].Model.ComputeSha256(), Is.EqualTo(ticket.Model.ComputeSha256()));
    }

    [Test]
    public void With_nothing_pruned_a_round_from_the_start_repeats_the_first_training()
    {
        RunResult result = Run(new Imp { Sparsity = 0 }).Result;
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "imp1" }));
        Assert.That(result.Phases[1].Model.ComputeSha256(), Is.EqualTo(result.Phases[0].Model.ComputeSha256()));
    }

    /// <summary>Adam's first step is one of the learning rate in each direction: its corrections count from where its state is 0.</summary>
    [Test]
    public void An_optimizer_without_state_counts_from_the_rewind_on()
    {
        Recipe recipe = With(new DenseTraining()) with { Optimizer = new OptimizerSettings { Kind = OptimizerKind.Adam }, LearningRate = new LearningRate { Initial = 1e-3 } };
        using var device = new CpuDevice(2);
        using var run = new MethodRun(recipe, Net, MethodTests.Data, device, new RecordingObserver());
        using var model = new Model(Net, device);
        using Trainer trainer = run.NewTrainer(model);
        TrainedNetwork before = MethodRunner.CreateInitialWeights(Net, 3);
        model.Load(before);
        // The last step of the third epoch.
        trainer.TrainEpoch(new EpochPlan("imp1", 2, 6, 1e-3, recipe.Optimizer, 5) { Begin = 35 }, new EpochProgress(11, default, 0));
        TrainedNetwork after = model.TakeSnapshot();
        float[] changes = [.. Net.Weights.SelectMany(p => after.Values[p.Index].Zip(before.Values[p.Index], (a, b) => Math.Abs(a - b)))];
        Assert.That(changes.Max(), Is.EqualTo(1e-3).Within(1e-5));
    }

    [TestCase(6, null, "rewind-epoch 6 is not before the end of a training of 6 epochs.")]
    [TestCase(1, 1, "rewind-epoch and rewind-step exclude each other.")]
    [TestCase(null, 72, "rewind-step 72 is not before the end of a training of 72 steps.")]
    public void The_time_to_go_back_to_is_checked(int? epoch, int? step, string message) =>
        Assert.That(() => Run(new Imp { RewindEpoch = epoch, RewindStep = step }), Throws.TypeOf<UsageException>().With.Message.EqualTo(message));

    [Test]
    public void More_than_a_hundred_rounds_are_refused()
    {
        Assert.That(() => With(new Imp { Sparsity = 0.99, RoundShare = 0.01 }).Validate(),
            Throws.TypeOf<UsageException>().With.Message.EqualTo("459 rounds are more than 100: a sparsity of 0.99 needs a round-share above 0.01."));
        Assert.That(() => With(new Imp { Sparsity = 0.63, RoundShare = 0.01 }).Validate(), Throws.Nothing);
    }

    private static IEnumerable<uint> Pruned(TrainedNetwork network) => network.Network.Weights.SelectMany(p =>
        network.Values[p.Index].Where((_, i) => network.Masks[p.Index]?[i] == false).Select(BitConverter.SingleToUInt32Bits));

    /// <summary>By training that far, as the first phase does.</summary>
    private static TrainedNetwork AtStep(Recipe recipe, int step, CpuDevice device)
    {
        using var run = new MethodRun(recipe, s_images, s_data, device, new RecordingObserver());
        using var model = new Model(s_images, device);
        using Trainer trainer = run.NewTrainer(model);
        model.Load(MethodRunner.CreateInitialWeights(s_images, recipe.Seed));
        ulong seed = SplitMix64.Fork(recipe.Seed, DenseTraining.Stream).NextUInt64();
        TrainedNetwork? taken = null;
        for (int epoch = 0; taken is null; epoch++)
        {
            int begin = epoch * trainer.StepsPerEpoch;
            trainer.TrainEpoch(new EpochPlan("dense", epoch, 6, recipe.LearningRate.Initial, recipe.Optimizer, seed), default,
                new StepHooks(After: done => taken = begin + done == step ? model.TakeSnapshot() : taken));
        }
        return taken;
    }
}

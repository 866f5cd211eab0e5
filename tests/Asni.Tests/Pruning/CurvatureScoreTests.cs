using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;
using Asni.Tests.Reference;
using Asni.Training;

namespace Asni.Tests.Pruning;

/// <summary>The scores of optimal brain damage and optimal brain surgeon.</summary>
public class CurvatureScoreTests
{
    private static readonly float[] s_weights = [0.6f, -0.5f, 1];

    /// <summary>g = (1, 2, 0), (0, 1, -1): h = (0.5, 2.5, 0.5), and the first goes first.</summary>
    [Test]
    public void Damage_of_three_weights_is_what_it_is_by_hand()
    {
        using var device = new CpuDevice(1);
        using Model model = Three(device);
        var score = new OptimalBrainDamage(Given(model), CurvatureKind.Fisher, seed: 1);
        new Pruner(model, score, new Pooled()).PruneTo(1 / 3.0, _ => { });
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[0.09f, 0.3125f, 0.25f]).Within(1e-6));
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, -0.5f, 1]));
    }

    /// <summary>Magnitude would take the second weight; the saliencies w^2 / (2 [F^-1]_qq) are least for the first, and the others move.</summary>
    [Test]
    public void Surgery_on_three_weights_is_what_it_is_by_hand()
    {
        using var device = new CpuDevice(1);
        using Model magnitudes = Three(device), model = Three(device);
        new Pruner(magnitudes, new Magnitude(), new Pooled()).PruneTo(1 / 3.0, _ => { });
        Assert.That(Workbench.Read(magnitudes.Parameters, 0, ParameterSlot.Value)[1], Is.Zero);
        var score = new OptimalBrainSurgeon(Given(model), new FisherShape(3, 0.5));
        new Pruner(model, score, new Pooled()).PruneTo(1 / 3.0, _ => { });
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[0.36f * 1.75f / 5.5f, 0.25f * 1.75f / 2, 1.75f / 4]).Within(1e-6), "0.1145, 0.2188, 0.4375");
        score.Compensate(model);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, -0.5f + 0.6f / 2.75f, 1 + 0.3f / 2.75f]).Within(1e-6), "0, -0.2818, 1.1091");
        ParameterTests.AssertPrunedIsZero(model.Parameters, 0);
        Assert.That(model.Parameters.Live(0), Is.EqualTo(2));

        // Once more: what is pruned has no part in F, ((3, -0.5), (-0.5, 1)) now, and gets no value.
        new Pruner(model, score, new Pooled()).PruneTo(2 / 3.0, _ => { });
        double second = -0.5 + 0.6 / 2.75, third = 1 + 0.3 / 2.75;
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[0, (float)(second * second * 2.75 / 2), (float)(third * third * 2.75 / 6)]).Within(1e-5));
        score.Compensate(model);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, 0, (float)(third - 0.5 * second)]).Within(1e-6));
    }

    /// <summary>Blocks of one weight know nothing of each other: F is its own diagonal, and nothing moves.</summary>
    [Test]
    public void Blocks_of_one_weight_are_the_diagonal()
    {
        using var device = new CpuDevice(1);
        using Model model = Three(device);
        var score = new OptimalBrainSurgeon(Given(model), new FisherShape(1, 0.5));
        new Pruner(model, score, new Pooled()).PruneTo(1 / 3.0, _ => { });
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Score), Is.EqualTo((float[])[0.36f / 2, 0.25f * 3 / 2, 0.5f]).Within(1e-6));
        score.Compensate(model);
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0, -0.5f, 1]));
    }

    /// <summary>H = ((2, 1), (1, 3)): v (H v) is 2 + s and 3 + s, s the product of the signs, and its mean the diagonal.</summary>
    [Test]
    public void Signs_at_random_find_the_diagonal_of_a_quadratic()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(2, 1), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [1, 2]);
        IGradient[] batches = [.. Enumerable.Range(0, 400).Select(_ => new GradientFlowTests.Quadratic(model))];
        Assert.That(new OptimalBrainDamage(batches, CurvatureKind.Hutchinson, seed: 1).Write(model, model.Network.Weights), Is.EqualTo(Ranking.Score));
        float[] scores = Workbench.Read(model.Parameters, 0, ParameterSlot.Score);
        Assert.That(scores[0], Is.EqualTo(2 * 1 / 2.0).Within(0.06));
        Assert.That(scores[1], Is.EqualTo(3 * 4 / 2.0).Within(0.25));
        Assert.That(scores[1] / 2 - 2 * scores[0], Is.EqualTo(1).Within(0.01), "both have the same s");
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[1, 2]), "the weights are as they were");
    }

    /// <summary>However few gradients are in memory at a time.</summary>
    [TestCase(1)]
    [TestCase(6 * 100)]
    [TestCase(6 * 1450)]
    public void Gradients_that_come_in_parts_give_the_same_bits(long numbers)
    {
        using var device = new CpuDevice(2);
        using var model = new Model(MethodTests.Net, device);
        using var gradient = Gradients(model);
        TrainedNetwork start = Asni.Methods.MethodRunner.CreateInitialWeights(MethodTests.Net, 5);
        TrainedNetwork whole = Prune(new OptimalBrainSurgeon(gradient.Batches, new FisherShape(16, 1e-5)));
        TrainedNetwork parts = Prune(new OptimalBrainSurgeon(gradient.Batches, new FisherShape(16, 1e-5), numbers));
        Assert.That(parts.ComputeSha256(), Is.EqualTo(whole.ComputeSha256()));

        TrainedNetwork Prune(OptimalBrainSurgeon score)
        {
            model.Load(start);
            var pruner = new Pruner(model, score, new Pooled());
            foreach (double sparsity in CutRounds.Sparsities(0.8, 2))
            {
                pruner.PruneTo(sparsity, _ => { });
                score.Compensate(model);
            }
            return model.TakeSnapshot();
        }
    }

    [TestCase(10, 6, 1)]
    [TestCase(10, 600, 97)]
    [TestCase(7, 7000, 16)]
    [TestCase(1, long.MaxValue, 16)]
    public void Groups_hold_each_weight_once_and_no_more_than_may_be(int gradients, long numbers, int block)
    {
        TensorRange[][] groups = [.. GradientRows.Groups(MethodTests.Net.Weights, gradients, block, numbers).Select(g => g.ToArray())];
        foreach (Parameter p in MethodTests.Net.Weights)
        {
            TensorRange[] own = [.. groups.SelectMany(g => g).Where(r => r.Tensor == p)];
            Assert.That(own.Select(r => r.First), Is.EqualTo(own.Select((_, i) => own.Take(i).Sum(r => r.Length))), "one after the other");
            Assert.That(own.Sum(r => r.Length), Is.EqualTo(p.Elements));
            Assert.That(own.Select(r => r.First % block), Is.All.Zero);
        }
        Assert.That(groups.Select(g => g.Sum(r => (long)r.Length)), Has.All.Positive.And.All.AtMost(Math.Max(numbers / gradients, block)));
    }

    /// <summary>Optimal brain damage and surgeon raise the loss of a trained network less than magnitude does, surgery least.</summary>
    [Test]
    public void What_is_left_after_a_cut_loses_least_by_surgery_and_less_by_damage_than_by_magnitude()
    {
        TrainedNetwork dense = MethodTests.Run(new Asni.Methods.DenseTraining()).Result.Phases[0].Model;
        using var device = new CpuDevice(2);
        using var model = new Model(MethodTests.Net, device);
        using LossGradient gradient = Gradients(model);
        using var evaluator = new Evaluator(model, MethodTests.Data.Train);
        var surgeon = new OptimalBrainSurgeon(gradient.Batches, new FisherShape(128, 1e-5));
        double magnitude = LossAfter(new Magnitude(), () => { });
        double damage = LossAfter(new OptimalBrainDamage(gradient.Batches, CurvatureKind.Fisher, 1), () => { });
        double hutchinson = LossAfter(new OptimalBrainDamage(gradient.Batches, CurvatureKind.Hutchinson, 1), () => { });
        double surgery = LossAfter(surgeon, () => surgeon.Compensate(model));
        TestContext.Out.WriteLine($"magnitude {magnitude}, damage {damage}, hutchinson {hutchinson}, surgery {surgery}");
        Assert.That(surgery, Is.LessThan(damage));
        Assert.That(damage, Is.LessThan(magnitude));

        double LossAfter(IScore score, Action then)
        {
            model.Load(dense);
            new Pruner(model, score, new Pooled()).PruneTo(0.8, _ => { });
            then();
            return evaluator.Evaluate().Loss;
        }
    }

    [Test]
    public void Scores_leave_statistics_biases_and_values_as_they_were()
    {
        Network network = SmallNetworks.Create("bottleneck");
        DatasetSplit data = BlobDataset.Split(40, network.Input, network.Classes);
        using var device = new CpuDevice(2);
        using var model = new Model(network, device);
        TrainedNetwork start = Asni.Methods.MethodRunner.CreateInitialWeights(network, 5);
        model.Load(start);
        using var gradient = new LossGradient(model, ScoringImages.DrawRepeatedly(data.Train, 50, 3), 10, meanOver: 10);
        var surgeon = new OptimalBrainSurgeon(gradient.Batches, new FisherShape(16, 1e-5));
        new OptimalBrainDamage(gradient.Batches, CurvatureKind.Fisher, 1).Write(model, network.Weights);
        new OptimalBrainDamage(gradient.Batches, CurvatureKind.Hutchinson, 1).Write(model, network.Weights);
        surgeon.Write(model, network.Weights);
        Assert.That(model.TakeSnapshot().ComputeSha256(), Is.EqualTo(start.ComputeSha256()));
        new Pruner(model, surgeon, new Pooled()).PruneTo(0.5, _ => { });
        surgeon.Compensate(model);
        TrainedNetwork pruned = model.TakeSnapshot();
        foreach (Parameter p in network.Parameters)
            Assert.That(pruned.Values[p.Index].SequenceEqual(start.Values[p.Index]), Is.EqualTo(!p.IsWeight), p.Name);
    }

    [Test]
    public void More_images_than_there_are_come_again_in_another_order()
    {
        var data = new BlobDataset(40, new Chw(36, 1, 1), 4, seed: 1);
        int[] drawn = ScoringImages.DrawRepeatedly(data, 100, seed: 2).Indices;
        Assert.That(drawn, Has.Length.EqualTo(100));
        Assert.That(drawn[..40], Is.EqualTo(ScoringImages.Draw(data, 40, seed: 2).Indices));
        Assert.That(drawn[40..80], Is.Unique.And.Not.EqualTo(drawn[..40]));
    }

    private static Model Three(Device device)
    {
        var model = new Model(TinyNetworks.Linear(3, 1), device);
        model.Parameters.Upload(0, ParameterSlot.Value, s_weights);
        return model;
    }

    private static IGradient[] Given(Model model) => [new Constant(model, [1, 2, 0]), new Constant(model, [0, 1, -1])];

    private static LossGradient Gradients(Model model) => new(model, ScoringImages.DrawRepeatedly(MethodTests.Data.Train, 64 * 6, 3), 64, meanOver: 64);

    private sealed class Constant(Model model, float[] g) : IGradient
    {
        public void AddTo(ParameterSlot slot, ReadOnlySpan<int> parameters, float factor)
        {
            model.Parameters.Upload(0, ParameterSlot.Gradient, g);
            model.Parameters.Combine(parameters, ElementFunction.Identity, ParameterSlot.Gradient, slot, factor, b: 1);
        }
    }
}

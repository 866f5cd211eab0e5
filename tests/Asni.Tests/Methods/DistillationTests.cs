using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning.Units;
using Asni.Tests.Devices;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

/// <summary>What a pruned network learns from the one that it was.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class DistillationTests(DeviceCase device)
{
    private static readonly Recipe s_recipe = With(new StructuredPruning { Target = new UnitTarget { Ratio = 0.3 }, Finetuning = new UnitFinetuning { Epochs = 4, Rate = 0.02 }, Scratch = true });

    private static readonly Recipe s_distilled = s_recipe with { DistillWeight = 1, DistillTemperature = 2 };

    [Test]
    public void A_pruned_network_comes_nearer_to_the_dense_one_whether_it_was_trained_or_given()
    {
        PhaseResult[] plain = Train(s_recipe), distilled = Train(s_distilled), again = Train(s_distilled), given = Train(s_distilled, plain[0].Model);
        Assert.That(distilled.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "structured", "scratch" }));
        Assert.That(Hash(distilled[0]), Is.EqualTo(Hash(plain[0])), "the dense network has nobody to learn from");
        Assert.That(distilled.Select(Hash), Is.EqualTo(again.Select(Hash)));
        Assert.That(Hash(given[0]), Is.EqualTo(Hash(distilled[1])));
        TrainedNetwork teacher = plain[0].Model;
        double before = Distance(teacher, plain[1].Model), after = Distance(teacher, distilled[1].Model);
        Assert.That(after, Is.LessThan(0.9 * before));
        Assert.That(Hash(distilled[2]), Is.EqualTo(Hash(plain[2])), "the control learns from labels alone");
    }

    /// <summary>Methods that train in other ways than phase after phase, and those that are given the teacher.</summary>
    [Test]
    public void It_has_an_effect_in_every_method_that_takes_it()
    {
        TrainedNetwork dense = Train(With(new DenseTraining()) with { Epochs = 2 }).Single().Model;
        var fine = new UnitFinetuning { Epochs = 1 };
        foreach (Method method in (Method[])[new UnitPruning { BlockEpochs = 0, Finetuning = fine }, new UnitPruning { Finetuning = fine with { Epochs = 0 } }, new DenseTraining(), new Gmp { Cuts = new() { Sparsity = 0.5 } }, new OneShot()])
        {
            Recipe recipe = With(method) with { Epochs = 2 };
            PhaseResult plain = Train(recipe, dense)[^1], distilled = Train(recipe with { DistillWeight = 0.9 }, dense)[^1];
            Assert.That(Hash(distilled), Is.Not.EqualTo(Hash(plain)), method.Name);
        }
    }

    /// <summary>The training loss of the first step, computed by hand: a teacher that is the network itself has none to teach, and (1 - a) of the labels' loss is left.</summary>
    [Test]
    public void The_loss_of_a_network_that_is_its_own_teacher_is_what_labels_have_of_it()
    {
        using Device opened = device.Create();
        var network = MethodRunner.CreateInitialWeights(Net, 4);
        using var model = new Model(Net, opened);
        model.Load(network);
        using var plan = new Plan(model, 20, training: true);
        float[] images = Values.Random(3, 20L * Net.Input.Elements);
        int[] labels = [.. Enumerable.Range(0, 20).Select(n => n % Net.Classes)];
        double labelsAlone = Loss(null);
        using var teacher = new Teacher(network, opened, 20, new Distillation(3, 0.25));
        Assert.That(Loss(teacher), Is.EqualTo(0.75 * labelsAlone).Within(1).Percent);
        Assert.That(Loss(null), Is.EqualTo(labelsAlone));

        double Loss(Teacher? from)
        {
            plan.Teacher = from;
            // Three times: directly, as it is recorded, and from the recording.
            for (int i = 0; i < 3; i++)
            {
                plan.Load(images, labels);
                plan.RunTraining();
            }
            return plan.ReadLoss().Loss / 3;
        }
    }

    [Test]
    public void Methods_without_a_dense_phase_need_a_network_to_learn_from()
    {
        foreach (Method method in (Method[])[new DenseTraining(), new AsniI(), new Snip()])
            Assert.That(() => Validated(With(method) with { DistillWeight = 0.5 }), Throws.TypeOf<UsageException>().With.Message.EqualTo($"distill-weight: the method {method.Name} trains no dense network to learn from first; give it one to start from."));
        Assert.That(() => Validated(With(new Gmp()) with { DistillWeight = 0.5 }, given: true), Throws.Nothing);
        foreach (Method method in (Method[])[new OneShot(), new UnitPruning(), new Imp(), new StructuredPruning { Penalty = UnitPenaltyKind.Lasso }])
            Assert.That(() => Validated(With(method) with { DistillWeight = 0.5 }), Throws.Nothing, method.Name);
        Assert.That(() => Validated(s_recipe with { DistillWeight = 1.5 }), Throws.TypeOf<UsageException>());
        Assert.That(() => Validated(s_recipe with { DistillTemperature = 0 }), Throws.TypeOf<UsageException>());

        static Recipe Validated(Recipe recipe, bool given = false)
        {
            recipe.Validate();
            recipe.ValidateStart(given, pruned: false);
            return recipe;
        }
    }

    private static string Hash(PhaseResult phase) => phase.Model.ComputeSha256();

    /// <summary>Mean square of the differences of log-probabilities' logits, which a constant does not change.</summary>
    private double Distance(TrainedNetwork a, TrainedNetwork b)
    {
        float[][] logits = [.. ((TrainedNetwork[])[a, b]).Select(Logits)];
        int classes = Net.Classes;
        double sum = 0;
        for (int n = 0; n < logits[0].Length; n += classes)
        {
            double[] difference = [.. Enumerable.Range(n, classes).Select(i => (double)logits[0][i] - logits[1][i])];
            sum += difference.Sum(d => Math.Pow(d - difference.Average(), 2));
        }
        return sum / logits[0].Length;
    }

    private float[] Logits(TrainedNetwork network)
    {
        using Device opened = device.Create();
        using var model = new Model(network.Network, opened);
        model.Load(network);
        Dataset test = MethodTests.Data.Test;
        using var plan = new Plan(model, test.Count, training: false);
        var batch = new Batch(test.Count, test.Shape) { Count = test.Count };
        for (int i = 0; i < test.Count; i++)
        {
            test.Read(i, batch.Pixels.AsSpan(i * test.Shape.Elements, test.Shape.Elements));
            batch.Labels[i] = test.GetLabel(i);
        }
        plan.Load(batch, test.Normalization);
        plan.RunEvaluation();
        var logits = new float[test.Count * network.Network.Classes];
        plan.ReadLogits(logits);
        return logits;
    }

    private PhaseResult[] Train(Recipe recipe, TrainedNetwork? start = null)
    {
        using Device opened = device.Create();
        return [.. MethodRunner.Run(recipe, Net, MethodTests.Data, opened, start: start).Phases];
    }
}

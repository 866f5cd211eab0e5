using System.Collections.Immutable;
using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Tests.Golden;
using Asni.Tests.Methods;
using Asni.Training;

namespace Asni.Tests.Devices;

/// <summary>Batches in equal parts that are computed one after another.</summary>
[TestFixtureSource(typeof(DeviceCase), nameof(DeviceCase.All))]
public class LaneTests(DeviceCase device)
{
    private const int Lane = 3, Classes = 5;

    private static readonly Network s_network = new NetworkBuilder("normed", new Chw(3, 10, 10)).Convolution("conv", 8, 3, padding: 1).BatchNorm("norm").Relu("cut").MaxPool("pool", 2).Linear("head", Classes).Build();

    /// <summary>The floats of each lane, computed by itself, are added as the tree has them; running statistics are the mean of what each made of the step's.</summary>
    [TestCase(1, 3, false)]
    [TestCase(2, 3, false)]
    [TestCase(3, 2, false)]
    [TestCase(4, 3, true)]
    [TestCase(5, 1, false)]
    [TestCase(7, 3, true)]
    [TestCase(8, 3, false)]
    [TestCase(64, 3, false)]
    public void Gradients_are_added_in_a_tree_over_the_lanes(int lanes, int ofLast, bool dense)
    {
        using Device opened = device.Create();
        using var model = new Model(s_network, opened);
        GoldenComparison.Initialize(model);
        foreach (Parameter p in s_network.Weights) model.Parameters.SetMask(p.Index, Values.Mask((ulong)p.Index, p.Elements, 0.5));
        using var plan = new Plan(model, Lane, training: true) { Lanes = lanes };
        int samples = (lanes - 1) * Lane + ofLast;
        float[][] before = Read(model, p => !p.IsTrained, ParameterSlot.Value);
        var sums = new Stack<(int Lanes, float[][] Gradients, float[][] Running)>();
        for (int lane = 0; lane < lanes; lane++)
        {
            Run(plan, lane, lane == lanes - 1 ? ofLast : Lane, samples, dense);
            sums.Push((1, Gradients(model, dense), Read(model, p => !p.IsTrained, ParameterSlot.Value)));
            while (sums.Count > 1 && (lane == lanes - 1 || sums.Peek().Lanes == sums.Skip(1).First().Lanes))
            {
                var (right, left) = (sums.Pop(), sums.Pop());
                sums.Push((left.Lanes + right.Lanes, Add(left.Gradients, right.Gradients), Add(left.Running, right.Running)));
            }
            Write(model, before);
        }
        var tree = new LaneTree(model.Parameters);
        // Twice: sums of an earlier step do not count.
        for (int step = 0; step < 2; step++)
        {
            Write(model, before);
            tree.Begin();
            for (int lane = 0; lane < lanes; lane++)
            {
                Run(plan, lane, lane == lanes - 1 ? ofLast : Lane, samples, dense);
                if (lane < lanes - 1) tree.Add(dense);
                else tree.AddLast(dense);
            }
            tree.End(lanes);
            Assert.That(Gradients(model, dense), Is.EqualTo(sums.Peek().Gradients));
            float share = 1f / lanes;
            Assert.That(Read(model, p => !p.IsTrained, ParameterSlot.Value), Is.EqualTo(sums.Peek().Running.Select(r => r.Select(v => v * share))));
        }
        Assert.That(plan.ReadLoss().Samples, Is.EqualTo(3L * samples));
    }

    /// <summary>Without batch-norm lanes change no more than rounding. The last step of an epoch has 45 of 80 samples: in 4 lanes of 20 the third has 5, and there is no fourth.</summary>
    [TestCase(4)]
    [TestCase(5)]
    public void Training_in_lanes_is_training_in_batches(int lanes)
    {
        using Device opened = device.Create();
        DatasetSplit all = BlobDataset.Split(285, new Chw(36, 1, 1), 4);
        Recipe recipe = MethodTests.With(new DenseTraining()) with { Epochs = 3, BatchSize = 80, Optimizer = new OptimizerSettings { Kind = OptimizerKind.Momentum }, LearningRate = new LearningRate { Initial = 0.05 } };
        (PhaseResult whole, double loss) = Train(recipe);
        (PhaseResult parts, double lossOfParts) = Train(recipe with { Lanes = lanes });
        Assert.That(lossOfParts, Is.EqualTo(loss).Within(1e-4 * loss));
        foreach (Parameter p in MethodTests.Net.Parameters) Assert.That(parts.Model.Values[p.Index], Is.EqualTo(whole.Model.Values[p.Index]).Within(2e-5), p.Name);

        (PhaseResult, double) Train(Recipe r)
        {
            var observer = new RecordingObserver();
            return (MethodRunner.Run(r, MethodTests.Net, all, opened, observer).Phases.Single(), observer.Epochs[^1].TrainLoss);
        }
    }

    private static void Run(Plan plan, int lane, int count, int samples, bool dense)
    {
        plan.Load(Values.Random((ulong)(50 + lane), count * s_network.Input.Elements), [.. Enumerable.Range(lane, count).Select(i => i % Classes)]);
        plan.RunTraining(dense, samples);
    }

    /// <summary>Those of pruned weights mean something only where they are asked for.</summary>
    private static float[][] Gradients(Model model, bool dense)
    {
        float[][] gradients = Read(model, p => p.IsTrained, ParameterSlot.Gradient);
        if (dense) return gradients;
        foreach ((Parameter p, float[] values) in model.Network.Parameters.Where(p => p.IsTrained).Zip(gradients))
            if (model.Parameters.GetMask(p.Index) is { } mask)
                for (int i = 0; i < values.Length; i++)
                    if (!mask[i]) values[i] = 0;
        return gradients;
    }

    private static float[][] Read(Model model, Func<Parameter, bool> which, ParameterSlot slot) =>
        [.. model.Network.Parameters.Where(which).Select(p => Workbench.Read(model.Parameters, p.Index, slot))];

    private static void Write(Model model, float[][] running)
    {
        foreach ((Parameter p, float[] values) in model.Network.Parameters.Where(p => !p.IsTrained).Zip(running)) model.Parameters.Upload(p.Index, ParameterSlot.Value, values);
    }

    private static float[][] Add(float[][] left, float[][] right) => [.. left.Zip(right, (a, b) => a.Zip(b, (x, y) => x + y).ToArray())];
}
